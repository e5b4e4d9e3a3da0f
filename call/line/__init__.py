"""The connection between the two sides of a call: datagrams by ICE, DTLS and SRTP."""

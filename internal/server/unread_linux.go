package server

import (
	"context"
	"crypto/tls"
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), in milliseconds, which package syscall has no name for.
const tcpUserTimeout = 0x12

// limitUnread has the kernel end each connection whose other side has not taken what it was sent for so long. A deadline on writing would have to
// be set anew for each answer, and would end the long ones that are read.
func limitUnread(wait time.Duration) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn()
		}
		if t, ok := c.(*net.TCPConn); ok {
			if raw, err := t.SyscallConn(); err == nil { // else it is closed already
				_ = raw.Control(func(fd uintptr) {
					_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(wait/time.Millisecond))
				})
			}
		}
		return ctx
	}
}

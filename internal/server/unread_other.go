//go:build !linux

package server

import (
	"context"
	"net"
	"time"
)

// limitUnread does nothing where the kernel has no such limit.
func limitUnread(time.Duration) func(context.Context, net.Conn) context.Context { return nil }

package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/web"
)

// Listen says where and how to serve.
type Listen struct {
	Address        string       // host:port; port 0 picks a free one
	Listener       net.Listener // optional: Address, bound already; Serve closes it
	Metrics        string       // host:port of the second listener, "" for none
	Certificate    string       // PEM file; with Key: TLS. Both are read again when they change
	Key            string
	AllowPlainHTTP bool          // serve plain HTTP beyond loopback: only where something in front does TLS
	Drain          time.Duration // how long requests under way may take after ctx ends; 0: 15 s
	Unread         time.Duration // how long a client may leave an answer where it is; 0: 2 min
	// Ready is called once, with the bound address, before the first request is answered: whoever gets an answer finds done what Ready
	// does. Clients can connect, and wait. Optional.
	Ready func(addr string)
}

// Serve runs s until ctx ends, then stops accepting, lets requests under way finish and returns.
func (s *Server) Serve(ctx context.Context, l Listen) error {
	listener, err := l.listen(s.c.Logger)
	if err != nil {
		return errors.Join(err, l.close())
	}
	servers := []*http.Server{newHTTPServer(s.Handler(), l.Unread, s.c.Logger)}
	listeners := []net.Listener{listener}
	if l.Metrics != "" {
		m, err := net.Listen("tcp", l.Metrics)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), listener.Close())
		}
		metrics := newHTTPServer(s.Metrics(), l.Unread, s.c.Logger)
		metrics.ReadTimeout = s.c.BodyWait // nobody has a body to send here
		servers, listeners = append(servers, metrics), append(listeners, m)
	}
	runCtx, stopRun := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	failed := make(chan error, len(servers)+1)
	if l.Ready != nil {
		l.Ready(listener.Addr().String())
	}
	running.Go(func() {
		if err := s.Run(runCtx); err != nil && runCtx.Err() == nil {
			failed <- fmt.Errorf("follow changes: %w", err)
		}
	})
	for i, hs := range servers {
		running.Go(func() {
			if err := hs.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	drain(servers, l.Drain)
	stopRun()
	running.Wait()
	return err
}

func drain(servers []*http.Server, limit time.Duration) {
	if limit == 0 {
		limit = 15 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, hs := range servers {
		if hs.Shutdown(ctx) != nil {
			_ = hs.Close() // what did not finish in time is cut
		}
	}
}

func newHTTPServer(h http.Handler, unread time.Duration, l *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnContext: limitUnread(cmp.Or(unread, 2*time.Minute)),
		ErrorLog:    slog.NewLogLogger(l.Handler(), slog.LevelDebug), // handshake noise of port scanners
	}
}

// close closes the listener that was handed over and is not used.
func (l Listen) close() error {
	if l.Listener == nil {
		return nil
	}
	return l.Listener.Close()
}

func (l Listen) listen(log *slog.Logger) (net.Listener, error) {
	withTLS := l.Certificate != "" || l.Key != ""
	if !withTLS && !l.AllowPlainHTTP && !loopback(l.Address) {
		return nil, fmt.Errorf("refusing to serve plain HTTP on %s: secrets and tokens would cross the network readable. "+
			"Give a certificate and key, listen on loopback, or say allow_plain_http: true where something in front does TLS", l.Address)
	}
	var cert *web.Certificate
	if withTLS {
		var err error
		if cert, err = web.LoadCertificate(l.Certificate, l.Key, log); err != nil {
			return nil, fmt.Errorf("TLS certificate: %w", err)
		}
	}
	listener := l.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", l.Address); err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	if cert == nil {
		return listener, nil
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: cert.Get,
	}), nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

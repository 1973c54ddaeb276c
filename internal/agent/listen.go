package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/stackgate/stackgate/internal/web"
)

// A Listener is where an Agent will answer, and what clients call that.
type Listener struct {
	net.Listener
	URL string
}

// Listen opens a listener, and tells log of a renewed certificate that cannot be used. Beyond loopback it takes a certificate, or else the credential and the tokens would cross the network readable.
func Listen(address, certificate, key string, log *slog.Logger) (*Listener, error) {
	withTLS := certificate+key != ""
	if withTLS && (certificate == "" || key == "") {
		return nil, errors.New("--tls-certificate and --tls-key belong together")
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not host:port", address)
	}
	if !withTLS && !Loopback(address) {
		return nil, fmt.Errorf("refusing to listen on %s without TLS: the credential and the cloud's tokens would cross the network readable. "+
			"Listen on 127.0.0.1, or give --tls-certificate and --tls-key", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	out := &Listener{l, "http://" + net.JoinHostPort(host, port)}
	if !withTLS {
		return out, nil
	}
	pair, err := web.LoadCertificate(certificate, key, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("TLS certificate: %w", err), l.Close())
	}
	out.Listener = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.Get})
	out.URL = "https://" + net.JoinHostPort(host, port)
	return out, nil
}

// Loopback says whether only this machine reaches an address.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Serve answers on l until ctx ends, and closes it.
func (a *Agent) Serve(ctx context.Context, l *Listener) error {
	s := &http.Server{
		Handler: a, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.c.Logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

package web

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A Certificate is a TLS certificate and its key in PEM files, which are read again when they have been renewed.
type Certificate struct {
	files [2]string // certificate and key
	log   *slog.Logger

	mu   sync.Mutex // owns what follows
	pair *tls.Certificate
	seen [2]time.Time // when the files had been changed that were last looked into
}

// LoadCertificate reads the files. log is told of a renewal that cannot be used.
func LoadCertificate(certificate, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{files: [2]string{certificate, key}, log: log}
	c.seen = c.changed() // before they are read: a change in between is seen the next time
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	c.pair = &pair
	return c, nil
}

// Get gives the certificate as it is now, or the last that could be read, for tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.changed(); now != c.seen {
		c.seen = now
		if pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1]); err != nil {
			c.log.Error("TLS certificate not reloaded; the former one stays in use", "error", err)
		} else {
			c.pair = &pair
		}
	}
	return c.pair, nil
}

func (c *Certificate) changed() (times [2]time.Time) {
	for i, name := range c.files {
		if info, err := os.Stat(name); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
)

func TestPlainHTTPBeyondLoopbackIsRefused(t *testing.T) {
	s := servertest.Start(t)
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0"} {
		err := s.Serve(t.Context(), server.Listen{Address: address})
		if err == nil || !strings.Contains(err.Error(), "refusing to serve plain HTTP") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// serve runs the server with l until stop is called, which reports how it ended.
func serve(t *testing.T, s *servertest.Server, l server.Listen) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	l.Address, l.Ready = "127.0.0.1:0", func(a string) { ready <- a }
	go func() { ended <- s.Serve(ctx, l) }()
	select {
	case address = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return address, func() error { cancel(); return <-ended }
}

// certificate writes a self-signed certificate of a serial number, dated so that a change is seen.
func certificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	stamp := time.Now().Add(time.Duration(serial) * time.Minute)
	must(t, os.Chtimes(certFile, stamp, stamp))
	return certFile, keyFile
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTLSCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	s, dir := servertest.Start(t), t.TempDir()
	certFile, keyFile := certificate(t, dir, 1)
	address, stop := serve(t, s, server.Listen{Certificate: certFile, Key: keyFile})
	serial := func() int64 {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		must(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("the first certificate has serial %d", got)
	}
	certificate(t, dir, 2)
	if got := serial(); got != 2 {
		t.Errorf("after the change it has serial %d", got)
	}
	must(t, stop())
}

func TestARequestUnderWayIsFinishedBeforeTheServerStops(t *testing.T) {
	s := servertest.Start(t)
	address, stop := serve(t, s, server.Listen{Metrics: "127.0.0.1:0"})
	c, err := net.Dial("tcp", address)
	must(t, err)
	defer c.Close()
	body := `grant_type=client_credentials`
	_, err = c.Write([]byte("POST /auth/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\n" + body[:10]))
	must(t, err)
	for range 100 { // until the handler has the request: then /healthz on the same server has been answered after it
		if resp, err := http.Get("http://" + address + "/healthz"); err == nil {
			_ = resp.Body.Close()
			break
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	_, err = c.Write([]byte(body[10:]))
	must(t, err)
	answer := make([]byte, 12)
	if _, err = c.Read(answer); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
		t.Errorf("the request under way got %q, %v", answer, err)
	}
	must(t, <-ended)
}

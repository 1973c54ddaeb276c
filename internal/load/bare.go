package load

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// SigningHandler is the bare counterpart of a token endpoint: it reads a form and answers with one ES256 signature. What a server
// does beyond it is what its checks and claims cost.
func SigningHandler() (http.Handler, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		digest := sha256.Sum256(body)
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			http.Error(w, "no signature", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id_token":%q}`, base64.RawURLEncoding.EncodeToString(signature))
	}), nil
}

// OriginHandler answers every request with the same body: something for a proxy to stand in front of.
func OriginHandler(body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}

// ProxyHandler is the bare counterpart of a gateway: the standard library's reverse proxy, with as many idle connections as asked for
// and no decompression.
func ProxyHandler(origin string, idle int) (http.Handler, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the origin %q is not an absolute URL", origin)
	}
	return &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(u) },
		Transport: &http.Transport{MaxIdleConnsPerHost: idle, DisableCompression: true},
	}, nil
}

// bareSignature serves a SigningHandler and asks it as a client asks the token endpoint.
func bareSignature(int) (Scenario, func() error, error) {
	h, err := SigningHandler()
	if err != nil {
		return Scenario{}, nil, err
	}
	address, stop, err := Serve(h)
	return Post("one signature", address, "scope=openid+profile&grant_type=client_credentials"), stop, err
}

// bareProxy serves a ProxyHandler in front of an OriginHandler whose answer is as long as a list of one server.
func bareProxy(concurrency int) (Scenario, func() error, error) {
	origin, stopOrigin, err := Serve(OriginHandler(bytes.Repeat([]byte("x"), 1500)))
	if err != nil {
		return Scenario{}, nil, err
	}
	h, err := ProxyHandler(origin, concurrency)
	if err != nil {
		return Scenario{}, nil, errors.Join(err, stopOrigin())
	}
	address, stop, err := Serve(h)
	if err != nil {
		return Scenario{}, nil, errors.Join(err, stopOrigin())
	}
	return Get("reverse proxy", address, nil), func() error { return errors.Join(stop(), stopOrigin()) }, nil
}

// Serve serves a handler on a free port of the loopback address until stop is called.
func Serve(h http.Handler) (address string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	stop = func() error {
		err := s.Close()
		if e := <-done; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}
	return "http://" + l.Addr().String(), stop, nil
}

package objectstore

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/web"
)

// tempURL admits a call that carries a signature by one of the account's or the container's keys over method, expiry and path.
func (c *call) tempURL(path string) error {
	bad := func() error {
		c.w.Header().Set("Www-Authenticate", `Swift realm="unknown"`)
		return refuse(http.StatusUnauthorized, "Temp URL invalid\n")
	}
	sig, newHash := signature(c.q.Get("temp_url_sig"))
	expires, ok := expiresAt(c.q.Get("temp_url_expires"))
	if newHash == nil || !ok || c.object == "" || !c.s.c.Now().Before(time.Unix(expires, 0)) {
		return bad()
	}
	if c.r.Header.Get("X-Object-Manifest") != "" || c.r.Header.Get("X-Copy-From") != "" || c.q.Has("multipart-manifest") {
		return refuse(http.StatusBadRequest, "A Temp URL is for one object, not for what a manifest or a copy names besides.")
	}
	signed := path
	if prefix := c.q.Get("temp_url_prefix"); c.q.Has("temp_url_prefix") {
		if !strings.HasPrefix(c.object, prefix) {
			return bad()
		}
		signed = "prefix:" + strings.TrimSuffix(path, c.object) + prefix
	}
	if c.q.Has("temp_url_ip_range") {
		return bad() // the address that Swift would compare is the gateway's
	}
	for _, key := range c.tempKeys() {
		for _, method := range methodsFor(c.r.Method) {
			mac := hmac.New(newHash, []byte(key))
			mac.Write([]byte(method + "\n" + strconv.FormatInt(expires, 10) + "\n" + signed))
			if hmac.Equal(mac.Sum(nil), sig) {
				c.signed = true
				return nil
			}
		}
	}
	return bad()
}

// signature decodes a signature and tells its hash: hexadecimal by length, or name:base64.
func signature(s string) ([]byte, func() hash.Hash) {
	if name, encoded, ok := strings.Cut(s, ":"); ok {
		sig, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(encoded), "="))
		newHash := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[name]
		if err != nil {
			return nil, nil
		}
		return sig, newHash
	}
	sig, err := hex.DecodeString(s)
	if err != nil {
		return nil, nil
	}
	return sig, map[int]func() hash.Hash{sha1.Size: sha1.New, sha256.Size: sha256.New, sha512.Size: sha512.New}[len(sig)]
}

// expiresAt reads seconds since 1970 or an ISO 8601 time.
func expiresAt(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 40); err == nil {
		return n, true
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), true
		}
	}
	return 0, false
}

// methodsFor gives the methods whose signature admits one: whoever may read or write may also look.
func methodsFor(method string) []string {
	switch method {
	case http.MethodHead:
		return []string{http.MethodHead, http.MethodGet, http.MethodPut, http.MethodPost}
	case http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete:
		return []string{method}
	}
	return nil
}

func (c *call) tempKeys() []string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	a := c.s.accounts[c.account]
	if a == nil {
		return nil
	}
	var keys []string
	add := func(stored map[string]string, kind string) {
		for _, suffix := range []string{"", "-2"} {
			if k := stored["X-"+kind+"-Meta-Temp-Url-Key"+suffix]; k != "" {
				keys = append(keys, k)
			}
		}
	}
	add(a.Headers, "Account")
	if one := a.Containers[c.container]; one != nil {
		add(one.Headers, "Container")
	}
	return keys
}

// disposition makes a browser save what a TempURL gives.
func (c *call) disposition() {
	if !c.q.Has("temp_url_sig") {
		return
	}
	name := c.q.Get("filename")
	if name == "" {
		name = path.Base(c.object)
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r > '~' {
			return '_'
		}
		return r
	}, name)
	kind := "attachment"
	if c.q.Has("inline") {
		kind = "inline"
	}
	c.w.Header().Set("Content-Disposition", kind+`; filename="`+name+`"`)
	c.w.Header().Set("Expires", time.Unix(mustExpire(c.q.Get("temp_url_expires")), 0).UTC().Format(http.TimeFormat))
}

// mustExpire is expiresAt for what tempURL has accepted.
func mustExpire(s string) int64 {
	n, _ := expiresAt(s)
	return n
}

// info states what the store can do and its constraints; it needs no token.
func (s *Service) info(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return status(http.StatusMethodNotAllowed)
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{
		"swift": map[string]any{
			"version": "2.33.0", "max_file_size": s.c.MaxObjectSize, "max_object_name_length": maxObjectName, "max_container_name_length": maxContainerName,
			"max_meta_name_length": maxMetaName, "max_meta_value_length": maxMetaValue, "max_meta_count": maxMetaCount, "max_meta_overall_size": maxMetaSize,
			"account_listing_limit": maxListing, "container_listing_limit": maxListing, "max_header_size": 8192, "strict_cors_mode": true,
			"policies": []any{map[string]any{"name": "Policy-0", "aliases": "Policy-0", "default": true}},
		},
		"slo":               map[string]any{"max_manifest_segments": maxSegments, "max_manifest_size": maxManifestSize, "min_segment_size": 1},
		"dlo":               map[string]any{"max_segments": 10000},
		"tempurl":           map[string]any{"methods": []string{"GET", "HEAD", "PUT", "POST", "DELETE"}, "allowed_digests": []string{"sha1", "sha256", "sha512"}},
		"bulk_delete":       map[string]any{"max_deletes_per_request": maxDeletes, "max_failed_deletes": 1000},
		"container_quotas":  map[string]any{},
		"object_versioning": map[string]any{},
	})
}

package rbac

import "strings"

// A Service is one OpenStack service, named as in the gateway's paths.
type Service string

// The services that have operations here.
const (
	Compute     Service = "compute"
	Volume      Service = "volume"
	Image       Service = "image"
	Network     Service = "network"
	ObjectStore Service = "object-store"
	AITraining  Service = "ai-training"
)

// Services lists every Service.
func Services() []Service {
	return []Service{Compute, Volume, Image, Network, ObjectStore, AITraining}
}

// CatalogType gives the service's type as the service types authority has it and catalogs show it.
func (s Service) CatalogType() string {
	if s == Volume {
		return "block-storage"
	}
	return string(s)
}

// ParseService finds a service by its segment in the gateway's paths or by a type that catalogs have for it.
func ParseService(name string) (Service, bool) {
	switch name {
	case "block-storage", "volumev3":
		return Volume, true
	}
	for _, s := range Services() {
		if name == string(s) {
			return s, true
		}
	}
	return "", false
}

// A Target is a request target in its one canonical spelling: what Classify judges and what may be forwarded, byte for byte.
// Only ParseTarget makes one.
type Target struct {
	service     Service
	path, query string // raw, as on the wire
	hasQuery    bool   // a "?" stood there, even if nothing follows it
}

// Service gives the service that the target is of.
func (t Target) Service() Service { return t.service }

// Path gives the raw path below the service's root.
func (t Target) Path() string { return t.path }

// Query gives the raw query, and whether there was a question mark at all.
func (t Target) Query() (raw string, present bool) { return t.query, t.hasQuery }

// ParseTarget accepts raw, the origin-form target below a service's root ("/v2.1/servers?limit=1"), if every server between here
// and the service must read it alike; otherwise it says in reason what is wrong, and the Target is not to be used. Within Swift
// object names everything that the object API allows is allowed.
func ParseTarget(service Service, raw string) (t Target, reason string) {
	path, query, hasQuery := strings.Cut(raw, "?")
	if path == "" || path[0] != '/' {
		return Target{}, "the path must start with a slash"
	}
	if reason := checkPath(service, path); reason != "" {
		return Target{}, reason
	}
	if reason := checkQuery(query); reason != "" {
		return Target{}, reason
	}
	return Target{service, path, query, hasQuery}, ""
}

// objectName gives where the free part of a path starts: behind /v1/<account>/<container>/ in Swift, else at its end.
func objectName(service Service, path string) int {
	if service != ObjectStore {
		return len(path)
	}
	slashes := 0
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		if slashes++; slashes == 4 {
			return i + 1
		}
	}
	return len(path)
}

func checkPath(service Service, path string) string {
	free := objectName(service, path)
	if reason := checkSegments(service, path[:free]); reason != "" {
		return reason
	}
	var text utf8State
	for i := 0; i < len(path); i++ {
		c := path[i]
		if plain(c) && text.done() {
			continue
		}
		escaped := c == '%'
		if escaped {
			var ok bool
			if c, ok = unescape(path, i); !ok {
				return "a percent sign must be followed by two hexadecimal digits"
			}
		}
		if reason := checkByte(c, escaped, i >= free); reason != "" {
			return reason
		}
		if escaped {
			i += 2
		}
		if !text.next(c) {
			return "the path must be valid UTF-8"
		}
	}
	if !text.done() {
		return "the path must be valid UTF-8"
	}
	return ""
}

// checkSegments refuses what some server in the chain would tidy up: empty and dot segments, a final slash.
func checkSegments(service Service, path string) string {
	for rest := path; len(rest) > 1; {
		switch rest = rest[1:]; {
		case rest[0] == '/':
			return "the path must not hold an empty segment"
		case dotSegment(rest):
			return "the path must not hold a dot segment"
		}
		next := strings.IndexByte(rest, '/')
		if next < 0 {
			break
		}
		rest = rest[next:]
	}
	if service == ObjectStore {
		return ""
	}
	if last := len(path) - 1; last > 0 && path[last] == '/' && !versionRoot(path) {
		return "the path must not end with a slash"
	}
	return ""
}

// versionRoot reports whether path is /v3/ or the like: the version documents' own links end with a slash.
func versionRoot(path string) bool {
	return len(path) > 3 && path[1] == 'v' && path[2] >= '0' && path[2] <= '9' && strings.IndexByte(path[1:], '/') == len(path)-2
}

func dotSegment(rest string) bool {
	if rest[0] != '.' {
		return false
	}
	rest = rest[1:]
	if rest != "" && rest[0] == '.' {
		rest = rest[1:]
	}
	return rest == "" || rest[0] == '/'
}

func checkByte(c byte, escaped, free bool) string {
	switch {
	case c == 0:
		return "the path must not hold a NUL"
	case !escaped && (c <= ' ' || c >= 0x7f || strings.IndexByte("\\#\"<>^`{|}", c) >= 0):
		return "the path holds a character that must be percent-encoded"
	case free:
		return ""
	case !escaped && c == ';':
		return "the path must not hold a semicolon"
	case escaped && (c < ' ' || c == 0x7f || c == '/' || c == '\\' || c == ';' || c == '%' || c == '#' || c == '?'):
		return "the path must not hold an encoded slash, backslash, semicolon, percent sign, hash, question mark or control character"
	case escaped && unreserved(c):
		return "letters, digits, '-', '.', '_' and '~' must not be percent-encoded"
	}
	return ""
}

// checkQuery refuses what Python's routers act upon and Go's parser does not see: _method in any spelling, which turns a GET into
// a DELETE, and the semicolon, which separates parameters for some servers only.
func checkQuery(query string) string {
	const method = "_method"
	matched := 0
	var text utf8State
	for i := 0; i < len(query); i++ {
		c := query[i]
		if matched == 0 && c != '_' && plain(c) && text.done() {
			continue
		}
		switch {
		case c == ';':
			return "the query must not hold a semicolon; encode it as %3B"
		case c == '#' || c <= ' ' || c >= 0x7f:
			return "the query holds a character that must be percent-encoded"
		case c == '%':
			var ok bool
			if c, ok = unescape(query, i); !ok {
				return "a percent sign must be followed by two hexadecimal digits"
			}
			i += 2
		}
		if c == 0 {
			return "the query must not hold a NUL"
		}
		if !text.next(c) {
			return "the query must be valid UTF-8"
		}
		switch {
		case lowerByte(c) == method[matched]:
			matched++
		case c == '_':
			matched = 1
		default:
			matched = 0
		}
		if matched == len(method) {
			return "the query must not hold _method"
		}
	}
	if !text.done() {
		return "the query must be valid UTF-8"
	}
	return ""
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// plain reports, without a branch per kind, whether c is unreserved (RFC 3986 §2.3) or one of / & =: most of every target.
func plain(c byte) bool {
	const (
		low  = 1<<'-' | 1<<'.' | 1<<'/' | 0x3ff<<'0' | 1<<'=' | 1<<'&'
		high = 0x3ffffff<<('A'-64) | 1<<('_'-64) | 0x3ffffff<<('a'-64) | 1<<('~'-64)
	)
	if c < 64 {
		return uint64(low)>>c&1 != 0
	}
	return c < 128 && uint64(high)>>(c-64)&1 != 0
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// unescape decodes the escape that starts at s[i].
func unescape(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	hi, ok1 := unhex(s[i+1])
	lo, ok2 := unhex(s[i+2])
	return hi<<4 | lo, ok1 && ok2
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// A utf8State checks UTF-8 (RFC 3629 §4) byte by byte, so that nothing need be decoded into memory.
type utf8State struct {
	need     int  // continuation bytes still to come
	min, max byte // bounds of the next one
}

func (s *utf8State) next(c byte) bool {
	if s.need > 0 {
		ok := c >= s.min && c <= s.max
		s.need, s.min, s.max = s.need-1, 0x80, 0xbf
		return ok
	}
	s.min, s.max = 0x80, 0xbf
	switch {
	case c < 0x80:
	case c >= 0xc2 && c <= 0xdf:
		s.need = 1
	case c >= 0xe0 && c <= 0xef:
		s.need = 2
		if c == 0xe0 {
			s.min = 0xa0
		} else if c == 0xed {
			s.max = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		s.need = 3
		if c == 0xf0 {
			s.min = 0x90
		} else if c == 0xf4 {
			s.max = 0x8f
		}
	default:
		return false
	}
	return true
}

func (s *utf8State) done() bool { return s.need == 0 }

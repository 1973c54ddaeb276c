package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
)

// A wire is what is written to the gateway's socket, what is answered, and the bytes that reach the cloud, without those headers that
// are the gateway's own.
type wire struct {
	name, sent string
	statuses   []int
	cloud      []string
}

const (
	host     = "Host: gw\r\nX-Auth-Token: all\r\n"
	last     = "Connection: close\r\n"
	put      = "PUT /GRA1" + account + "/c/o HTTP/1.1\r\n" + host
	putOut   = "PUT /v1/AUTH_" + projectA + "/c/o HTTP/1.1\r\n"
	reboot   = `{"reboot":{"type":"SOFT"}}`
	action   = "POST /GRA1/compute/v2.1/servers/1/action HTTP/1.1\r\n" + host
	smuggled = "GET /v1/AUTH_" + projectB + "/secret HTTP/1.1\r\n" + host + last + "\r\n"
)

// send writes to a connection of its own and reads answers until the gateway closes it.
func (w *world) send(t *testing.T, c wire) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.gw.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, c.sent) // the gateway may have closed before the end
	in := bufio.NewReader(conn)
	method, _, _ := strings.Cut(c.sent, " ")
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		statuses = append(statuses, resp.StatusCode)
		if resp.Close {
			return statuses
		}
	}
}

// bare takes the gateway's own headers out of a recorded request, each of which must stand there once with the gateway's value.
func bare(t *testing.T, request string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	seen := map[string]int{}
	lines := slices.DeleteFunc(strings.Split(head, "\r\n"), func(line string) bool {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Host", "X-Openstack-Request-Id", "X-Identity-Status", "X-Project-Id", "X-User-Id", "X-User-Name", "X-Roles":
			seen[name]++
			return name != "X-Roles" || strings.HasPrefix(value, rbac.ComputeManage.String()+",")
		}
		return false
	})
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s stands there %d times: %q", name, n, request)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func (w *world) wires(t *testing.T, cases []wire) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			statuses, got := w.send(t, c), w.arrived()
			for i := range got {
				got[i] = bare(t, got[i])
			}
			if !slices.Equal(statuses, c.statuses) || !slices.Equal(got, c.cloud) {
				t.Errorf("sent %q\nanswered %v, want %v\nthe cloud got %q\nwant          %q", c.sent, statuses, c.statuses, got, c.cloud)
			}
		})
	}
}

// However a request says where it ends, the cloud gets one that says it once; what cannot be read in one way is refused.
func TestG6_Framing(t *testing.T) {
	w := newWorld(t)
	empty, a := putOut+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", putOut+"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
	refused := func(name, header, body string, status int) wire {
		return wire{name, put + header + "\r\n" + body, []int{status}, nil}
	}
	w.wires(t, []wire{
		{"length and chunks: the chunks count, and the rest is a request of its own",
			put + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{200, 404}, []string{empty}},
		{"chunks and length", put + last + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n", []int{200}, []string{a}},
		{"length and chunks around an action", action + last + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(reboot), []int{200},
			[]string{"POST /v2.1/servers/1/action HTTP/1.1\r\nContent-Length: 26\r\n\r\n" + reboot}},
		refused("chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n", 501),
		refused("identity, chunked", "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n", 501),
		refused("gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", 501),
		refused("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n", 501),
		refused("nearly chunked", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", 501),
		refused("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n", 501),
		refused("identity with a length", "Transfer-Encoding: identity\r\nContent-Length: 1\r\n", "a", 501),
		refused("chunked behind a vertical tab", "Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n", 400),
		refused("a space before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n", 400),
		{"chunked on a folded line", put + last + "Transfer-Encoding:\r\n chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", []int{200}, []string{a}},
		{"chunked in capitals", put + last + "Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", []int{200}, []string{a}},
		{"one length twice", put + last + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", []int{200}, []string{putOut + "Content-Length: 1\r\n\r\na"}},
		refused("two lengths", "Content-Length: 1\r\nContent-Length: 2\r\n", "ab", 400),
		refused("two lengths in one", "Content-Length: 1, 1\r\n", "a", 400),
		refused("a length with a sign", "Content-Length: +1\r\n", "a", 400),
		refused("a negative length", "Content-Length: -1\r\n", "a", 400),
		refused("a hexadecimal length", "Content-Length: 0x1\r\n", "a", 400),
		refused("no length", "Content-Length:\r\n", "", 400),
		{"headers that Python would read as the length", put + last + "Content_Length: 5\r\nTransfer_Encoding: chunked\r\nContent-Length: 1\r\n\r\na", []int{200},
			[]string{putOut + "Content-Length: 1\r\n\r\na"}},
		{"extensions of chunks", put + last + "Transfer-Encoding: chunked\r\n\r\n1;a=\"b\";c\r\na\r\n0;x\r\n\r\n", []int{200}, []string{a}},
		{"trailers", put + last + "TE: trailers\r\nTrailer: X-Roles\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Roles: admin\r\nContent-Length: 9\r\n\r\n", []int{200}, []string{a}},
		refused("a chunk's size with a sign", last+"Transfer-Encoding: chunked\r\n", "+1\r\na\r\n0\r\n\r\n", 400),
		refused("a chunk's size with 0x", last+"Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n", 400),
		refused("a chunk's size that overflows", last+"Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\na\r\n0\r\n\r\n", 400),
		refused("a chunk longer than it says", last+"Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n", 400),
		refused("chunks that end in a line feed alone", last+"Transfer-Encoding: chunked\r\n", "1\na\n0\n\n", 400),
		{"a body where there usually is none", "GET /GRA1" + account + "/c HTTP/1.1\r\n" + host + last + "Content-Length: 3\r\n\r\nGET", []int{200},
			[]string{"GET /v1/AUTH_" + projectA + "/c HTTP/1.1\r\nContent-Length: 3\r\n\r\nGET"}},
		{"a second request behind one without a body", "GET /GRA1" + account + "/c HTTP/1.1\r\n" + host + "\r\n" + smuggled, []int{200, 404},
			[]string{"GET /v1/AUTH_" + projectA + "/c HTTP/1.1\r\n\r\n"}},
	})
}

// Lines that servers split differently.
func TestG6_Lines(t *testing.T) {
	w := newWorld(t)
	ends := "Content-Length: 0\r\n\r\n"
	refused := func(name, sent string, status int) wire { return wire{name, sent, []int{status}, nil} }
	w.wires(t, []wire{
		{"a folded header is one line", put + last + "X-Object-Meta-A: b\r\n\tX-Roles: admin\r\n" + ends, []int{200},
			[]string{putOut + "Content-Length: 0\r\nX-Object-Meta-A: b X-Roles: admin\r\n\r\n"}},
		{"a line feed alone ends a line", put + last + "X-Object-Meta-A: b\nX-Roles: admin\r\n" + ends, []int{200}, []string{putOut + "Content-Length: 0\r\nX-Object-Meta-A: b\r\n\r\n"}},
		refused("a carriage return alone does not", put+"X-Object-Meta-A: b\rX-Roles: admin\r\n"+ends, 400),
		refused("a NUL in a value", put+"X-A: a\x00b\r\n"+ends, 400),
		refused("a space in a name", put+"X A: a\r\n"+ends, 400),
		refused("no name", put+": a\r\n"+ends, 400),
		refused("no colon", put+"X-A\r\n"+ends, 400),
		refused("a name that is not ASCII", put+"X-Object-Meta-\xc3\xa9: a\r\n"+ends, 400),
		refused("a folded token", "PUT /GRA1"+account+"/c/o HTTP/1.1\r\nHost: gw\r\n"+last+"X-Auth-Token: all\r\n x\r\n"+ends, 401),
		{"Connection lists what frames the request", put + "Connection: close, Content-Length, Transfer-Encoding, Host, X-Auth-Token, X-Roles\r\nContent-Length: 1\r\n\r\na", []int{200},
			[]string{putOut + "Content-Length: 1\r\n\r\na"}},
		{"what Connection should have listed, and what CGI reads as a proxy to use", put + last + "Keep-Alive: timeout=5\r\nHTTP2-Settings: AAMA\r\nProxy: http://x\r\nTE: gzip\r\n" + ends, []int{200},
			[]string{putOut + "Content-Length: 0\r\n\r\n"}},
		{"Connection lists what was judged", put + "Connection: close, Destination-Account\r\nDestination-Account: AUTH_" + projectB + "\r\n" + ends, []int{403}, nil},
		refused("two hosts", put+"Host: other\r\n"+ends, 400),
		refused("no host", strings.Replace(put, "Host: gw\r\n", "", 1)+ends, 400),
		refused("a host with a path", strings.Replace(put, "gw", "gw/x@y", 1)+ends, 400),
		{"another host", strings.Replace(put, "gw", "admin.internal:8774", 1) + last + ends, []int{200}, []string{putOut + "Content-Length: 0\r\n\r\n"}},
		refused("the absolute form", strings.Replace(put, " /", " http://gw/", 1)+last+ends, 400),
		refused("the absolute form with another host", strings.Replace(put, " /", " http://other/", 1)+last+ends, 400),
		refused("a host in the path", strings.Replace(put, " /", " //other/", 1)+last+ends, 404),
		refused("no slash", strings.Replace(put, " /", " ", 1)+ends, 400),
		refused("the authority form", "CONNECT gw:443 HTTP/1.1\r\n"+host+last+"\r\n", 400),
		refused("CONNECT to a path", "CONNECT /GRA1"+account+" HTTP/1.1\r\n"+host+last+"\r\n", 400),
		refused("the asterisk form", "OPTIONS * HTTP/1.1\r\n"+host+last+"\r\n", 200), // net/http answers for itself
		refused("the asterisk form of another method", "GET * HTTP/1.1\r\n"+host+last+"\r\n", 400),
		refused("HTTP/2 on a socket that has not agreed to it", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
		refused("HTTP/0.9", strings.Replace(put, " HTTP/1.1", "", 1)+"\r\n", 400),
		refused("two spaces behind the method", strings.Replace(put, "PUT", "PUT ", 1)+ends, 400),
		refused("a tab behind the method", strings.Replace(put, "PUT ", "PUT\t", 1)+ends, 400),
		refused("a space behind the version", strings.Replace(put, "HTTP/1.1", "HTTP/1.1 ", 1)+ends, 400),
		refused("a NUL in the method", strings.Replace(put, "PUT", "P\x00T", 1)+ends, 400),
		refused("half an escape", strings.Replace(put, "/o ", "/o% ", 1)+ends, 400),
		refused("an expectation nobody knows", put+last+"Expect: 200-ok\r\n"+ends, 417),
	})
}

// Only a WebSocket is let through: another protocol would carry calls that nobody judges.
func TestG6_Upgrades(t *testing.T) {
	w := newWorld(t)
	var cases []wire
	for _, upgrade := range []string{"h2c", "websocket, h2c", "h2c\r\nUpgrade: websocket", "TLS/1.0", "HTTP/2.0"} {
		cases = append(cases, wire{upgrade, put + "Connection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: " + upgrade + "\r\nContent-Length: 0\r\n\r\n",
			[]int{200}, []string{putOut + "Content-Length: 0\r\n\r\n"}})
	}
	w.wires(t, append(cases, wire{"websocket", "GET /GRA1/ai-training/v1/job/1/exec HTTP/1.1\r\n" + host + "Connection: close, upgrade\r\nUpgrade: WebSocket\r\nSec-Websocket-Version: 13\r\n\r\n",
		[]int{200}, []string{"GET /v1/job/1/exec HTTP/1.1\r\nConnection: Upgrade\r\nSec-Websocket-Version: 13\r\nUpgrade: WebSocket\r\n\r\n"}}))
}

// A body that must be looked into has a limit in bytes and in time; one that breaks off is none.
func TestG6_BodiesThatDoNotEnd(t *testing.T) {
	piece := "8000\r\n" + strings.Repeat(" ", 0x8000) + "\r\n"
	newWorld(t).wires(t, []wire{
		{"more than the limit, and no end", action + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(piece, 40), []int{413}, nil},
		{"more than the limit, in spaces", action + "Content-Length: 2000000\r\n\r\n" + reboot + strings.Repeat(" ", 1100000), []int{413}, nil},
	})
	newWorldWaiting(t, 50*time.Millisecond).wires(t, []wire{
		{"a length that nobody will send", action + "Content-Length: 9223372036854775807\r\n\r\n{", []int{400}, nil},
		{"a client that stops", action + "Content-Length: 30\r\n\r\n" + reboot, []int{400}, nil},
		{"a client that stops within its chunks", action + "Transfer-Encoding: chunked\r\n\r\n1a\r\n" + reboot + "\r\n", []int{400}, nil},
	})
}

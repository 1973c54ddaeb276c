package realcloud

import (
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// TestRealProcess stops, resumes, kills and restarts a program that needs no package of OpenStack.
func TestRealProcess(t *testing.T) {
	Need(t, "python3")
	port := FreePort(t)
	p := Start(t, Program{
		Name: "server", Dir: t.TempDir(), Listens: address(port),
		Command: []string{"python3", "-m", "http.server", "--bind", "127.0.0.1", strconv.Itoa(port)},
	})
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answers := func() bool {
		resp, err := client.Get("http://" + p.Listens)
		return err == nil && resp.Body.Close() == nil
	}
	if !answers() {
		t.Error("it listens and does not answer")
	}
	p.Pause()
	if answers() {
		t.Error("it answers though it stands still")
	}
	p.Resume()
	if !answers() {
		t.Error("resumed, it does not answer")
	}
	p.Kill()
	if c, err := net.Dial("tcp", p.Listens); err == nil {
		t.Error("killed, it listens", c.Close())
	}
	p.Start()
	if !answers() {
		t.Error("started again, it does not answer")
	}
}

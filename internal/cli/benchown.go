package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/load"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
)

// Budgets that are no rates, and how many of the stored service accounts log in.
const (
	budgetStart  = "< 150 ms"
	budgetIdle   = "< 60 MiB"
	budgetMany   = "< 250 MiB with 1 000 000 stored, 10 000 active"
	activeAtMost = 10_000
	settle       = time.Second // between the first token and looking at the memory of an idle server
)

// benchOwn measures a server of our own in a temporary folder: first as a process of its own, which shows its start and its memory,
// then in this process, where nothing but it stands between the load and its bare counterparts.
func (a *app) benchOwn(ctx context.Context, o benchOptions) (report benchReport, err error) {
	dir, err := os.MkdirTemp("", "stackgate-bench-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	address, err := freeAddress()
	if err != nil {
		return report, err
	}
	setHeapFloor()
	log, err := newLogger(io.Discard, "json", "info") // written and thrown away: what a server does in earnest
	if err != nil {
		return report, err
	}
	own := devOptions{dir: dir, listen: address, publicURL: "http://" + address, tokenLife: time.Hour}
	d, err := openDev(ctx, own, log)
	if err != nil {
		return report, err
	}
	target := d.target()
	if err := errors.Join(d.server.Close(), a.fill(ctx, d, o.accounts)); err != nil {
		return report, err
	}
	spread, figures, err := a.measureProcess(ctx, o, own, target)
	if err != nil {
		return report, err
	}
	if d, err = openDev(ctx, own, log); err != nil {
		return report, err
	}
	err = d.whileServing(ctx, func() (err error) {
		report.Rows, err = a.measure(ctx, o, load.Scenarios(target))
		return err
	})
	report.Rows, report.Figures = append(report.Rows, spread...), figures
	return report, err
}

func (d *devCloud) target() load.Target {
	v := d.clientAccess("eu")
	return load.Target{AuthURL: v.AuthURL(), DiscoveryEndpoint: v.Discovery(), IdentityProvider: v.Provider, ProjectID: v.Project,
		ClientID: v.ClientID, ClientSecret: v.Secret, Region: v.Region}
}

// whileServing runs f while d is served, and closes d.
func (d *devCloud) whileServing(ctx context.Context, f func() error) (err error) {
	serving, stop := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- d.server.Serve(serving, server.Listen{Address: d.options.listen, Ready: func(string) { close(ready) }})
	}()
	select {
	case <-ready:
		err = f()
	case err = <-ended:
		ended <- nil
	}
	stop()
	return errors.Join(err, <-ended, d.server.Close())
}

// freeAddress is one that nobody has, for a process to come.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// fill stores n service accounts in the database of a server that does not run. All have the secret of the guide's.
func (a *app) fill(ctx context.Context, d *devCloud, n int) (err error) {
	if n == 0 {
		return nil
	}
	st, err := store.Open(ctx, store.Config{URL: d.path("stackgate.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	f := store.Fill{Partition: urn.EU, Policies: []iam.Permissions{
		{Allow: []iam.Action{"publicCloudProject:openstack:infrastructureSupervisor"}}, {Allow: []iam.Action{"publicCloudProject:openstack:imageOperator"}},
	}}
	err = st.View(ctx, func(tx *store.Tx) error {
		secrets, err := tx.Secrets(ctx, iam.ClientID(d.state.Client["eu"].ClientID))
		if err == nil {
			f.Secret = secrets[0].ID
		}
		return err
	})
	const batch = 40 * store.FillPerAccount
	for from, told := 0, time.Now(); from < n && err == nil; from += batch {
		if time.Since(told) > 2*time.Second {
			a.note("filling the database: %d of %d service accounts", from, n)
			told = time.Now()
		}
		_, err = st.Update(ctx, func(tx *store.Tx) error { return tx.Fill(ctx, f, from, min(from+batch, n)) })
	}
	return err
}

// measureProcess starts a server as a process of its own and measures its start, its memory, and the active service accounts in turn.
func (a *app) measureProcess(ctx context.Context, o benchOptions, own devOptions, target load.Target) (rows []load.Row, figures []load.Figure, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	c := exec.CommandContext(ctx, program, "dev", "--dir", own.dir, "--listen", own.listen, "--log-format", "json", "--log-level", "info")
	c.Args[0] = os.Args[0] // as this process was called: tests of the command line go by it
	begin := time.Now()
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, c.Process.Signal(syscall.SIGTERM), c.Wait()) }()
	starting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := load.FirstToken(starting, target); err != nil {
		return nil, nil, fmt.Errorf("start a server: %w", err)
	}
	figures = append(figures, load.Figure{Name: "start to first token", Value: fmt.Sprintf("%d ms", time.Since(begin).Milliseconds()), Budget: budgetStart})
	time.Sleep(settle)
	figures = append(figures, memory(c.Process.Pid, "memory, idle", budgetIdle))
	active := activeTargets(target, o.accounts)
	first := load.SpreadLogin(active)
	first.Name = "whole login, all active in turn, from cold"
	rows, err = a.measure(ctx, o, []load.Scenario{first, load.SpreadGateway(active), load.SpreadLogin(active)})
	budget := budgetMany
	if o.accounts == 0 {
		budget, rows = "", nil // it was only to see the memory: the same is measured in this process
	}
	figures = append(figures, memory(c.Process.Pid, fmt.Sprintf("memory after the load, %d stored, %d active", o.accounts, len(active)), budget))
	return rows, figures, err
}

// activeTargets gives the service accounts that log in, spread over those stored; without any, the guide's.
func activeTargets(t load.Target, stored int) []load.Target {
	if stored == 0 {
		return []load.Target{t}
	}
	active := make([]load.Target, min(stored, activeAtMost))
	for k := range active {
		i := k * (stored / len(active))
		active[k] = t
		active[k].ClientID, active[k].ProjectID = string(store.FillClient(urn.EU, i)), string(store.FillProject(i))
	}
	return active
}

// memory gives the resident memory of a process; where there is no /proc, a figure that says so.
func memory(pid int, name, budget string) load.Figure {
	f := load.Figure{Name: name, Value: "not known on this system", Budget: budget}
	status, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return f
	}
	defer func() { _ = status.Close() }()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:")
		kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
		if ok && err == nil {
			f.Value = fmt.Sprintf("%d MiB", kib/1024)
		}
	}
	return f
}

// Package load measures: it puts one kind of request after another on a server, from several connections at once, and says how many
// it answered and how long they took.
//
// It is a client like any other and knows an installation only by the guide's variables:
//
//	target, err := load.FromEnvironment(os.LookupEnv)
//	row, err := load.Compare(ctx, load.Config{Scenario: load.Token(target), Concurrency: 16, Duration: 10 * time.Second})
//
// Beside a figure belongs what the machine can do at all: Compare measures the bare counterpart of a scenario, if it has one, with the
// same code in the same run, in turn with it.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Scenario is something to do again and again.
type Scenario struct {
	Name   string
	Budget string // what it should reach, for the table

	// Prepare does what is needed once, and gives one flow: what is counted and timed. Flows run at the same time.
	Prepare func(ctx context.Context, c *Client) (flow func(ctx context.Context) error, err error)

	// Bare starts the bare counterpart for so many connections and gives the scenario that measures it; nil if there is none.
	Bare func(concurrency int) (s Scenario, stop func() error, err error)
}

// Config configures a run.
type Config struct {
	Scenario    Scenario
	Duration    time.Duration // 0: 5s
	Warmup      time.Duration // before anything is counted; 0: 500ms, negative: none
	Concurrency int           // connections, each with one request at a time; 0: 8

	Transport http.RoundTripper // nil: one with a connection for each of Concurrency, without compression
}

// A Result is what one run found.
type Result struct {
	Name        string
	Budget      string
	Concurrency int
	Flows       int // that succeeded
	Errors      int
	FirstError  string // without secrets: what was asked and the status
	Bytes       int64  // of response bodies
	Elapsed     time.Duration
	P50, P99    time.Duration // of the flows that succeeded
	Max         time.Duration
}

// Rate is the number of flows per second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Flows) / r.Elapsed.Seconds()
}

// Run runs one scenario. Flows that fail are counted, not returned as an error; an error means that there was nothing to measure.
func Run(ctx context.Context, c Config) (Result, error) {
	c.fill()
	p, err := prepare(ctx, c)
	if err != nil {
		return Result{}, err
	}
	p.measure(ctx, c.Duration)
	return p.result(), ctx.Err()
}

// turns is how many slices of time Compare gives to each side in turn, so that what else the machine does hurts both.
const turns = 5

// Compare runs a scenario and, in turn with it, its bare counterpart. Without one it is Run.
func Compare(ctx context.Context, c Config) (row Row, err error) {
	if c.Scenario.Bare == nil {
		row.Result, err = Run(ctx, c)
		return row, err
	}
	c.fill()
	ours, err := prepare(ctx, c)
	if err != nil {
		return Row{}, err
	}
	b := c
	var stop func() error
	if b.Scenario, stop, err = c.Scenario.Bare(c.Concurrency); err != nil {
		return Row{}, fmt.Errorf("bare counterpart of %q: %w", c.Scenario.Name, err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	bare, err := prepare(ctx, b)
	if err != nil {
		return Row{}, err
	}
	for range turns {
		ours.measure(ctx, c.Duration/turns)
		bare.measure(ctx, c.Duration/turns)
	}
	beside := bare.result()
	return Row{ours.result(), &beside}, ctx.Err()
}

// A prepared scenario and what was measured of it so far.
type prepared struct {
	c       Config
	client  *Client
	flow    func(context.Context) error
	warm    int64 // bytes received before anything was counted
	workers []worker
	elapsed time.Duration
}

func prepare(ctx context.Context, c Config) (*prepared, error) {
	p := &prepared{c: c, client: &Client{transport: c.Transport}, workers: make([]worker, c.Concurrency)}
	var err error
	if p.flow, err = c.Scenario.Prepare(ctx, p.client); err != nil {
		return nil, fmt.Errorf("prepare %q: %w", c.Scenario.Name, err)
	}
	if c.Warmup > 0 {
		p.measure(ctx, c.Warmup)
	}
	p.workers, p.elapsed, p.warm = make([]worker, c.Concurrency), 0, p.client.received.Load()
	return p, nil
}

// measure lets workers run flows for a while. A flow that has begun is finished and counted, and so is the time that it takes.
func (p *prepared) measure(ctx context.Context, duration time.Duration) {
	start := time.Now()
	var wg sync.WaitGroup
	for i := range p.workers {
		wg.Go(func() { p.workers[i].run(ctx, p.flow, start.Add(duration)) })
	}
	wg.Wait()
	p.elapsed += time.Since(start)
}

func (p *prepared) result() Result {
	r := Result{Name: p.c.Scenario.Name, Budget: p.c.Scenario.Budget, Concurrency: p.c.Concurrency,
		Elapsed: p.elapsed, Bytes: p.client.received.Load() - p.warm}
	var took []time.Duration
	for _, w := range p.workers {
		took = append(took, w.took...)
		r.Errors += w.errors
		if w.first != nil && r.FirstError == "" {
			r.FirstError = w.first.Error()
		}
	}
	slices.Sort(took)
	r.Flows = len(took)
	r.P50, r.P99, r.Max = quantile(took, 0.50), quantile(took, 0.99), quantile(took, 1)
	return r
}

func (c *Config) fill() {
	if c.Duration <= 0 {
		c.Duration = 5 * time.Second
	}
	if c.Warmup == 0 {
		c.Warmup = 500 * time.Millisecond
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 8
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{MaxIdleConnsPerHost: c.Concurrency, DisableCompression: true, Proxy: http.ProxyFromEnvironment}
	}
}

// A worker keeps its own figures, so that counting costs no lock.
type worker struct {
	took   []time.Duration
	errors int
	first  error
}

func (w *worker) run(ctx context.Context, flow func(context.Context) error, until time.Time) {
	for start := time.Now(); start.Before(until) && ctx.Err() == nil; {
		err := flow(ctx)
		end := time.Now()
		switch {
		case err == nil:
			w.took = append(w.took, end.Sub(start))
		case errors.Is(err, context.Canceled):
		default:
			w.errors++
			if w.first == nil {
				w.first = err
			}
		}
		start = end
	}
}

// quantile gives the smallest value that at least the part q of the sorted values does not exceed; 0 if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// drain reads a body to its end, so that the connection can be used again.
func drain(body io.ReadCloser) (int64, error) {
	n, err := io.Copy(io.Discard, body)
	return n, errors.Join(err, body.Close())
}

// Command alert tells of servers in ERROR, once for each, on standard output and to a webhook. The right infrastructureSupervisor is enough.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/stackgate/stackgate/serviceaccount"
)

func main() {
	hook := flag.String("webhook", "", "`URL` to which {\"text\": …} is posted")
	every := flag.Duration("every", 0, "look again and again; 0: once, with exit code 1 if there is anything to tell")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	a, err := connect(ctx, *hook)
	if err != nil {
		log.Fatal(err)
	}
	for {
		found, err := a.look(ctx)
		switch {
		case *every > 0 && err != nil:
			log.Print(err) // the cloud may answer next time
		case err != nil:
			log.Fatal(err)
		case *every == 0 && found > 0:
			os.Exit(1)
		}
		if *every == 0 || !wait(ctx, *every) {
			return
		}
	}
}

// wait reports whether to go on.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

type alerter struct {
	compute *gophercloud.ServiceClient
	hook    string
	told    map[string]bool // ids of servers that are still in ERROR
}

func connect(ctx context.Context, hook string) (*alerter, error) {
	config, err := serviceaccount.FromEnv() // the guide's variables, or clouds.yaml with OS_CLOUD
	if err != nil {
		return nil, err
	}
	client, err := serviceaccount.New(ctx, config)
	if err != nil {
		return nil, err
	}
	compute, err := openstack.NewComputeV2(client, config.EndpointOpts())
	return &alerter{compute, hook, map[string]bool{}}, err
}

// look tells of servers that were not in ERROR when it last looked, and gives how many are.
func (a *alerter) look(ctx context.Context) (int, error) {
	pages, err := servers.List(a.compute, servers.ListOpts{Status: "ERROR"}).AllPages(ctx)
	if err != nil {
		return 0, err
	}
	broken, err := servers.ExtractServers(pages)
	if err != nil {
		return 0, err
	}
	now := map[string]bool{}
	for _, s := range broken {
		if !a.told[s.ID] {
			if err := a.tell(ctx, s); err != nil {
				return 0, err
			}
		}
		now[s.ID] = true
	}
	a.told = now
	return len(broken), nil
}

func (a *alerter) tell(ctx context.Context, s servers.Server) error {
	text := fmt.Sprintf("server %s (%s) is in ERROR since %s: %s", s.Name, s.ID, s.Updated.Format(time.RFC3339), s.Fault.Message)
	fmt.Println(text)
	if a.hook == "" {
		return nil
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.hook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the webhook answered %s", resp.Status)
	}
	return nil
}

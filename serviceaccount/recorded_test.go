package serviceaccount_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/stackgate/stackgate/internal/recorded"
	"github.com/stackgate/stackgate/serviceaccount"
)

// config logs in to a recorded cloud, without a network.
func config(c *recorded.Cloud) serviceaccount.Config {
	const base = "http://cloud.example"
	return serviceaccount.Config{
		AuthURL: base + "/v3", IdentityProvider: recorded.Provider, Protocol: "openid", AccessTokenType: "id_token",
		DiscoveryEndpoint: base + recorded.Adapter + "/.well-known/openid-configuration",
		ClientID:          recorded.ClientID, ClientSecret: recorded.Secret, ProjectID: recorded.Project, Region: recorded.Region,
		Transport: recorded.Transport(c),
	}
}

func login(t *testing.T, c serviceaccount.Config) *serviceaccount.Login {
	t.Helper()
	l, err := serviceaccount.NewLogin(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func token(t *testing.T, l *serviceaccount.Login) *serviceaccount.Token {
	t.Helper()
	tok, err := l.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func list(ctx context.Context, pc *gophercloud.ProviderClient) (string, error) {
	compute, err := openstack.NewComputeV2(pc, gophercloud.EndpointOpts{Region: recorded.Region})
	if err != nil {
		return "", err
	}
	page, err := servers.List(compute, nil).AllPages(ctx)
	if err != nil {
		return "", err
	}
	all, err := servers.ExtractServers(page)
	if err != nil || len(all) != 1 {
		return "", fmt.Errorf("%d servers, %w", len(all), err)
	}
	return all[0].Name, nil
}

func counts(t *testing.T, c *recorded.Cloud, want map[string]int) {
	t.Helper()
	got := c.Counts()
	for kind, n := range want {
		if got[kind] != n {
			t.Errorf("%s: %d requests, want %d", kind, got[kind], n)
		}
	}
}

func TestALoginIsFourRequestsAndDiscoveryOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		var steps []string
		c := config(cloud)
		c.Trace = func(x serviceaccount.Exchange) { steps = append(steps, fmt.Sprint(x.Step, " ", x.Status)) }
		pc, err := serviceaccount.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if name, err := list(t.Context(), pc); name != "name_vm" || err != nil {
			t.Error(name, err)
		}
		if got := strings.Join(steps, ", "); got != "discovery 200, token 200, federation 201, scope 201" {
			t.Error(got)
		}
		time.Sleep(2 * time.Hour)
		if name, err := list(t.Context(), pc); name != "name_vm" || err != nil {
			t.Error(name, err)
		}
		counts(t, cloud, map[string]int{"discovery": 1, "token": 2, "federation": 2, "scope": 2, "servers": 2})
	})
}

func TestThousandsOfGoroutinesOverAnExpiryMakeOneLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		pc, err := serviceaccount.New(t.Context(), config(cloud))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(59*time.Minute + 30*time.Second)
			var all sync.WaitGroup
			for i := range 4000 {
				all.Go(func() {
					time.Sleep(time.Duration(i%60) * time.Second) // some before, some after the end of the token
					if _, err := list(t.Context(), pc); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		counts(t, cloud, map[string]int{"scope": 4, "servers": 12000})
	})
}

func TestARevokedTokenIsReplacedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		pc, err := serviceaccount.New(t.Context(), config(cloud))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cloud.Revoke()
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if _, err := list(t.Context(), pc); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		counts(t, cloud, map[string]int{"scope": 2})
	})
}

func TestATokenIsRenewedInTheBackgroundAheadOfItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		l := login(t, config(cloud))
		first := token(t, l)
		time.Sleep(35 * time.Minute) // less than three fifths: nobody renews yet
		if token(t, l) != first {
			t.Error("renewed too early")
		}
		time.Sleep(14 * time.Minute) // more than four fifths: everybody does
		if token(t, l) != first {
			t.Error("somebody waited for a renewal, with eleven minutes left")
		}
		synctest.Wait()
		second := token(t, l)
		if second == first || second.Left() != time.Hour-time.Second {
			t.Errorf("not renewed: %v left", second.Left())
		}
	})
}

func TestProcessesDoNotRenewAtTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		var logins []*serviceaccount.Login
		for range 100 {
			l := login(t, config(cloud))
			token(t, l)
			logins = append(logins, l)
		}
		time.Sleep(42 * time.Minute)
		renewed := 0
		for _, l := range logins {
			if !token(t, l).Fresh() {
				renewed++
			}
		}
		if renewed < 20 || renewed > 80 {
			t.Errorf("%d of 100 renew in the first half of the window", renewed)
		}
	})
}

func TestATokenThatIsHandedOnHasAFewMinutesLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := login(t, config(recorded.New(time.Hour)))
		token(t, l)
		for range 300 {
			time.Sleep(time.Minute)
			if left := token(t, l).Left(); left < 2*time.Minute {
				t.Fatalf("%v left: keystoneauth takes it for expired", left)
			}
		}
	})
}

func TestAFailedRenewalDoesNotMatterWhileTheTokenLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		l := login(t, config(cloud))
		first := token(t, l)
		cloud.Fail(recorded.Token, recorded.Answer(503, "text/plain", "maintenance"))
		time.Sleep(55 * time.Minute)
		for range 290 {
			time.Sleep(time.Second)
			if token(t, l) != first {
				t.Fatal("another token")
			}
		}
		if n := cloud.Count(recorded.Token); n < 5 || n > 40 {
			t.Errorf("%d tries in five minutes", n)
		}
		time.Sleep(time.Minute)
		if _, err := l.Token(t.Context()); !errors.Is(err, serviceaccount.ErrUnavailable) {
			t.Error(err)
		}
		cloud.Fail(recorded.Token, nil)
		time.Sleep(time.Minute)
		token(t, l)
	})
}

func TestAServiceThatAlwaysRefusesDoesNotCauseALoginEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		pc, err := serviceaccount.New(t.Context(), config(cloud))
		if err != nil {
			t.Fatal(err)
		}
		cloud.Fail(recorded.Servers, recorded.Answer(401, "text/plain", "never"))
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if _, err := list(t.Context(), pc); err == nil {
				t.Error("no error")
			}
		}
		if n := cloud.Count(recorded.Scope); n > 4 {
			t.Errorf("%d logins in ten seconds", n)
		}
	})
}

func TestASecretIsReadAgainFromItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		c := config(cloud)
		c.ClientSecret, c.SecretFile = "", filepath.Join(t.TempDir(), "secret")
		write(t, c.SecretFile, recorded.Secret+"\n")
		pc, err := serviceaccount.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cloud.SetSecret("the-second")
		cloud.Revoke()
		write(t, c.SecretFile, "the-second\n")
		if _, err := list(t.Context(), pc); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		cloud.Revoke()
		if err := os.Remove(c.SecretFile); err != nil {
			t.Fatal(err)
		}
		if _, err := list(t.Context(), pc); err != nil {
			t.Errorf("a file that is away for a moment: %v", err)
		}
	})
}

func TestWhoeverWaitsCanStopWaitingAndTheLoginGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		cloud.Fail(recorded.Discovery, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(10 * time.Second)
			cloud.Fail(recorded.Discovery, nil)
			cloud.ServeHTTP(w, r)
		})
		l := login(t, config(cloud))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		token(t, l)
		counts(t, cloud, map[string]int{"scope": 1})
	})
}

func TestARequestOfALoginThatIsNotAnsweredEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := recorded.New(time.Hour)
		cloud.Fail(recorded.Federation, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		l := login(t, config(cloud))
		start := time.Now()
		_, err := l.Token(t.Context())
		if !errors.Is(err, serviceaccount.ErrUnavailable) || time.Since(start) != 30*time.Second || !strings.Contains(err.Error(), "federation") {
			t.Error(time.Since(start), err)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestASecretThatTheProgramPutsInWins over the one in the files that the rest was read from.
func TestASecretThatTheProgramPutsInWins(t *testing.T) {
	dir := home(t)
	cloud := recorded.New(time.Hour)
	hand := config(cloud)
	write(t, filepath.Join(dir, ".config", "openstack", "clouds.yaml"), "clouds: {x: {auth_type: v3oidcclientcredentials, auth: {auth_url: '"+hand.AuthURL+
		"', identity_provider: "+hand.IdentityProvider+", protocol: openid, access_token_type: id_token, discovery_endpoint: '"+hand.DiscoveryEndpoint+
		"', client_id: "+hand.ClientID+", client_secret: of-the-file, project_id: "+hand.ProjectID+"}}}\n")
	c, err := serviceaccount.FromCloud("x")
	if err != nil {
		t.Fatal(err)
	}
	c.Transport = hand.Transport
	if _, err := login(t, c).Token(t.Context()); !errors.Is(err, serviceaccount.ErrUnauthenticated) {
		t.Error("the file's secret is not that of the cloud:", err)
	}
	c.ClientSecret = recorded.Secret
	token(t, login(t, c))
}

// TestASecretFileThatIsNotThereIsAConfigurationsFault: nothing is sent.
func TestASecretFileThatIsNotThereIsAConfigurationsFault(t *testing.T) {
	cloud := recorded.New(time.Hour)
	c := config(cloud)
	c.ClientSecret, c.SecretFile = "", filepath.Join(t.TempDir(), "none")
	_, err := login(t, c).Token(t.Context())
	if !errors.Is(err, serviceaccount.ErrConfig) || !errors.Is(err, os.ErrNotExist) || errors.Is(err, serviceaccount.ErrUnauthenticated) || cloud.Count(recorded.Token) != 0 {
		t.Error(err, cloud.Count(recorded.Token))
	}
}

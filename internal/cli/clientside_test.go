package cli_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/stackgate/stackgate/internal/recorded"
)

// serveRecorded is a command of the scripts: recorded HOST:PORT LIFE is a cloud that is not Stackgate, whose tokens live that long. Beside the cloud it
// answers /logins (how many there were), /revoke and /secret/NEW.
func serveRecorded() {
	life, err := time.ParseDuration(os.Args[2])
	if err != nil {
		panic(err)
	}
	cloud := recorded.New(life)
	mux := http.NewServeMux()
	mux.Handle("/", cloud)
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/logins", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, cloud.Count(recorded.Scope), "logins")
	})
	mux.HandleFunc("/revoke", func(http.ResponseWriter, *http.Request) { cloud.Revoke() })
	mux.HandleFunc("/secret/{new}", func(_ http.ResponseWriter, r *http.Request) { cloud.SetSecret(r.PathValue("new")) })
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	go func() { _ = http.Serve(l, mux) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
}

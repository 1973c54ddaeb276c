// Package sandbox pretends to be an OpenStack cloud with several regions: Nova, Glance, Cinder, Neutron, Swift and AI Training.
//
// It is stateful and separated by project and region; every region is a world of its own, as in a real cloud. It has no
// listener and judges nobody: what serves it (the gateway) has done so and says in headers who asks.
//
// Everything succeeds in it that a real cloud would not refuse. A server that is made with the metadata sandbox-fault=MESSAGE ends in ERROR, until
// it is rebooted or rebuilt.
//
//	cloud, err := sandbox.New(sandbox.Config{Regions: []string{"GRA1", "BHS1"}, Aliases: map[string]string{"GRA": "GRA1"}})
//	cloud.Handler("GRA1", "compute").ServeHTTP(w, r) // r's path is as behind the service's root: /v2.1/servers
package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/aitraining"
	"github.com/stackgate/stackgate/internal/sandbox/compute"
	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/network"
	"github.com/stackgate/stackgate/internal/sandbox/objectstore"
	"github.com/stackgate/stackgate/internal/sandbox/volume"
)

// Config configures a Cloud.
type Config struct {
	Dir       string            // where the state is kept; "" keeps it in memory
	Regions   []string          // nil: GRA1 and BHS1
	Aliases   map[string]string // further names of regions: GRA is GRA1
	PublicURL string            // used where ServiceURL is nil: <PublicURL>/<region>/<service>
	Now       func() time.Time  // nil: time.Now
	// ServiceURL gives the public root of a service in a region, for links; service is one of compute, volume, image, network,
	// object-store and ai-training.
	ServiceURL func(region, service string) string
}

// A Cloud is all regions.
type Cloud struct {
	c       Config
	regions map[string]*region
}

// region is one region's services by name. They are closed in the order in which they were opened.
type region struct {
	handlers map[string]http.Handler
	closers  []io.Closer
	images   *image.Service
	compute  *compute.Service
}

// New opens the cloud with what an earlier one left in Dir. Errors: the saved state cannot be read.
func New(c Config) (*Cloud, error) {
	if c.Regions == nil {
		c.Regions = []string{"GRA1", "BHS1"}
	}
	if c.ServiceURL == nil {
		c.ServiceURL = func(region, service string) string {
			return strings.TrimRight(c.PublicURL, "/") + "/" + region + "/" + service
		}
	}
	cloud := &Cloud{c: c, regions: map[string]*region{}}
	for i, name := range c.Regions {
		r := &region{handlers: map[string]http.Handler{}}
		cloud.regions[name] = r
		if err := cloud.open(r, name, i); err != nil {
			return nil, errors.Join(fmt.Errorf("open region %s: %w", name, err), cloud.Close())
		}
	}
	return cloud, nil
}

// open starts a region's services, those first that others stand on.
func (cl *Cloud) open(r *region, name string, index int) (err error) {
	c := cl.c
	if r.images, err = image.New(image.Config{Region: name, Dir: c.Dir, Now: c.Now, PublicURL: c.ServiceURL(name, "image")}); err != nil {
		return err
	}
	r.add("image", r.images)
	networks, err := network.New(network.Config{Region: name, Index: index, Dir: c.Dir, Now: c.Now, PublicURL: c.ServiceURL(name, "network")})
	if err != nil {
		return err
	}
	r.add("network", networks)
	volumes, err := volume.New(volume.Config{Region: name, Dir: c.Dir, Now: c.Now, PublicURL: c.ServiceURL(name, "volume"), Images: r.images})
	if err != nil {
		return err
	}
	r.add("volume", volumes)
	r.compute, err = compute.New(compute.Config{Region: name, Dir: c.Dir, Now: c.Now, PublicURL: c.ServiceURL(name, "compute"),
		Images: r.images, Network: networks, Volumes: volumes})
	if err != nil {
		return err
	}
	r.add("compute", r.compute)
	objects, err := objectstore.New(objectstore.Config{Region: name, Dir: c.Dir, Now: c.Now, PublicURL: c.ServiceURL(name, "object-store")})
	if err != nil {
		return err
	}
	r.add("object-store", objects)
	training, err := aitraining.New(aitraining.Config{Region: name, Dir: c.Dir, Now: c.Now, PublicURL: c.ServiceURL(name, "ai-training")})
	if err != nil {
		return err
	}
	r.add("ai-training", training)
	return nil
}

// service is what every service of a region is.
type service interface {
	http.Handler
	io.Closer
}

func (r *region) add(name string, s service) {
	r.handlers[name] = s
	r.closers = append(r.closers, s)
}

// Handler gives a region's service, by the region's name or alias; an unknown one answers 404.
func (cl *Cloud) Handler(regionName, service string) http.Handler {
	if name, ok := cl.c.Aliases[regionName]; ok {
		regionName = name
	}
	if r := cl.regions[regionName]; r != nil && r.handlers[service] != nil {
		return r.handlers[service]
	}
	return http.NotFoundHandler()
}

// The guide's server.
const (
	seedID   = "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0"
	seedName = "name_vm"
)

// Seed gives a project the server of the guide, in the first region: name_vm, Debian 12, d2-2, on Ext-Net. It does so once for
// a project: a server that was deleted stays so.
func (cl *Cloud) Seed(project string) error {
	r := cl.regions[cl.c.Regions[0]]
	debian, ok := r.images.Public("Debian 12")
	if !ok {
		return errors.New("seed the sandbox: there is no image Debian 12")
	}
	r.compute.Seed(project, seedID, seedName, debian.ID, []string{"127.0.0.1", "2001:db8::f0f:f0f:f0f:f0f:ff"})
	return nil
}

// Close saves everything.
func (cl *Cloud) Close() error {
	var all []error
	for _, r := range cl.regions {
		for _, c := range r.closers {
			all = append(all, c.Close())
		}
	}
	return errors.Join(all...)
}

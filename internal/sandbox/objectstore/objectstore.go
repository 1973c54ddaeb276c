// Package objectstore pretends to be Swift, the object storage of one region: accounts, containers and objects, with data on disk.
//
// A Service is an http.Handler that sees paths as they are behind the service's endpoint root: /v1/AUTH_<project>/container/object.
// Names are whatever the decoded path says, two slashes and dots included. A project is its own account's operator. Beyond that
// Swift judges for itself, and so does this: public containers, container ACLs for other projects, and TempURL.
//
// Objects are streamed to a file and appear when they are whole. The index of names and metadata is written by Close.
package objectstore

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// Config configures a Service.
type Config struct {
	Region        string           // names the region's files
	Dir           string           // where index and data are kept; "": a temporary folder, removed on Close
	Now           func() time.Time // nil: time.Now
	PublicURL     string           // the endpoint's root as clients know it; Swift's answers do not need it
	MaxObjectSize int64            // bytes of one upload; 0: 5 GiB, as Swift
}

// A Service is the object storage of one region.
type Service struct {
	c         Config
	store     rest.Store
	blobs     string // the folder of the objects' data
	temporary bool   // blobs is removed on Close

	mu       sync.Mutex
	accounts map[string]*account // by project id; guarded by mu, with all that hangs on it
}

type account struct {
	Headers    map[string]string // X-Account-Meta-…
	Containers map[string]*container
	Created    time.Time
}

type container struct {
	Headers    map[string]string // X-Container-Meta-…, X-Container-Read, X-Container-Write
	Objects    map[string]*object
	Created    time.Time
	NextExpiry time.Time            // no object expires before it; zero: none does
	Versioning string               // versioningOn, versioningOff; "": it was never on
	Versions   map[string][]*object // by name, the oldest first; what is in Objects and has a Version is here too
}

// An object is replaced, never changed, so that one that is being read stays as it was.
type object struct {
	Blob        string            // its data's file; "" has none
	Headers     map[string]string // what a GET gives back: X-Object-Meta-…, Content-Encoding, X-Object-Manifest, …
	ContentType string
	ETag        string // MD5 of the data, of a static large object's segments' ETags
	Size        int64
	Modified    time.Time
	DeleteAt    time.Time
	Segments    []segment // of a static large object
	Version     string    // its id, if it was put while versioning was on
	Deleted     bool      // it is a delete marker
}

const maxObjectSize = 5 << 30

// New opens the Service with what an earlier one left in Dir.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxObjectSize == 0 {
		c.MaxObjectSize = maxObjectSize
	}
	s := &Service{c: c, accounts: map[string]*account{}, store: rest.NewStore(c.Dir, "objectstore", c.Region)}
	if err := s.store.Load(&s.accounts); err != nil {
		return nil, err
	}
	if err := s.makeFolder(); err != nil {
		return nil, fmt.Errorf("object store's folder: %w", err)
	}
	if err := s.reconcile(); err != nil {
		return nil, fmt.Errorf("object store's folder: %w", err)
	}
	return s, nil
}

func (s *Service) makeFolder() (err error) {
	if s.c.Dir == "" {
		s.temporary = true
		s.blobs, err = os.MkdirTemp("", "stackgate-objectstore-")
		return err
	}
	s.blobs = filepath.Join(s.c.Dir, s.c.Region+"-objectstore")
	return os.MkdirAll(s.blobs, 0o700)
}

// reconcile drops objects without data and data without objects, which a process that was killed leaves behind.
func (s *Service) reconcile() error {
	entries, err := os.ReadDir(s.blobs)
	if err != nil {
		return err
	}
	unclaimed := map[string]bool{}
	for _, e := range entries {
		unclaimed[e.Name()] = true
	}
	here := maps.Clone(unclaimed)
	for _, a := range s.accounts {
		for _, c := range a.Containers {
			maps.DeleteFunc(c.Objects, func(_ string, o *object) bool { return o.Blob != "" && !here[o.Blob] })
			for _, o := range c.Objects {
				delete(unclaimed, o.Blob)
			}
			for name, all := range c.Versions {
				c.Versions[name] = slices.DeleteFunc(all, func(o *object) bool { return o.Blob != "" && !here[o.Blob] })
				for _, o := range c.Versions[name] {
					delete(unclaimed, o.Blob)
				}
			}
		}
	}
	for name := range unclaimed {
		if err := os.Remove(filepath.Join(s.blobs, name)); err != nil {
			return err
		}
	}
	return nil
}

// Close saves the index, or removes everything where it was temporary.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.temporary {
		return os.RemoveAll(s.blobs)
	}
	return s.store.Save(s.accounts)
}

func (s *Service) blob(name string) string { return filepath.Join(s.blobs, name) }

// accountLocked gives a project's account, which is there as soon as somebody asks.
func (s *Service) accountLocked(project string) *account {
	a := s.accounts[project]
	if a == nil {
		a = &account{Headers: map[string]string{}, Containers: map[string]*container{}, Created: s.c.Now()}
		s.accounts[project] = a
	}
	return a
}

// containerLocked gives a container without what has expired in it.
func (s *Service) containerLocked(project, name string) (*container, error) {
	c := s.accountLocked(project).Containers[name]
	if c == nil {
		return nil, status(http.StatusNotFound)
	}
	now := s.c.Now()
	if c.NextExpiry.IsZero() || now.Before(c.NextExpiry) {
		return c, nil
	}
	c.NextExpiry = time.Time{}
	for name, o := range c.Objects {
		if o.DeleteAt.IsZero() {
			continue
		}
		if !now.Before(o.DeleteAt) {
			s.dropLocked(c, name)
		} else if c.NextExpiry.IsZero() || o.DeleteAt.Before(c.NextExpiry) {
			c.NextExpiry = o.DeleteAt
		}
	}
	return c, nil
}

func (s *Service) objectLocked(project, container, name string) (*object, error) {
	c, err := s.containerLocked(project, container)
	if err != nil {
		return nil, err
	}
	o := c.Objects[name]
	if o == nil {
		return nil, status(http.StatusNotFound)
	}
	return o, nil
}

// putLocked puts an object in its place and lets go of the one that was there.
func (s *Service) putLocked(c *container, name string, o *object) {
	if c.Versioning == versioningOn {
		c.archive(name)
		c.addVersion(name, o)
	}
	if old := c.Objects[name]; old != nil && old.Blob != o.Blob {
		s.dropLocked(c, name)
	}
	c.expires(o)
	c.Objects[name] = o
}

// expires notes when an object will.
func (c *container) expires(o *object) {
	if !o.DeleteAt.IsZero() && (c.NextExpiry.IsZero() || o.DeleteAt.Before(c.NextExpiry)) {
		c.NextExpiry = o.DeleteAt
	}
}

// dropLocked removes an object, but for a version that is kept of it. Whoever reads it has its file open and reads on.
func (s *Service) dropLocked(c *container, name string) {
	if o := c.Objects[name]; o.Blob != "" && o.Version == "" {
		_ = os.Remove(s.blob(o.Blob)) // one that stays is unclaimed and goes at the next start
	}
	delete(c.Objects, name)
}

func (c *container) usage() (objects int, bytes int64) {
	for _, o := range c.Objects {
		bytes += o.Size
	}
	return len(c.Objects), bytes
}

func (a *account) usage() (containers, objects int, bytes int64) {
	for _, c := range a.Containers {
		n, b := c.usage()
		objects, bytes = objects+n, bytes+b
	}
	return len(a.Containers), objects, bytes
}

// keep updates stored headers from a request's: those with one of the prefixes, and those in also. An empty value, or
// X-Remove-… in place of X-…, removes one.
func keep(stored map[string]string, h http.Header, also ...string) {
	for name, values := range h {
		if remove, ok := strings.CutPrefix(name, "X-Remove-"); ok {
			if name := "X-" + remove; kept(name) || slices.Contains(also, name) {
				delete(stored, name)
			}
			continue
		}
		switch {
		case !kept(name) && !slices.Contains(also, name):
		case values[0] == "":
			delete(stored, name)
		default:
			stored[name] = values[0]
		}
	}
}

func kept(name string) bool {
	return strings.HasPrefix(name, "X-Account-Meta-") || strings.HasPrefix(name, "X-Container-Meta-")
}

package objectstore

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// What X-Versions-Enabled says of a container. One where it was never switched on says nothing.
const (
	versioningOn  = "True"
	versioningOff = "False"
)

// A delete marker is a version that says when an object was deleted.
const (
	deletedType = "application/x-deleted;swift_versions_deleted=1"
	emptyETag   = "d41d8cd98f00b204e9800998ecf8427e"
)

// nullVersion is the id of an object that was put while versioning was off.
const nullVersion = "null"

// setVersioning reads X-Versions-Enabled. The two older ways to keep versions, in a container that one sees, are switched off here as a Swift's
// operator may do.
func (c *container) setVersioning(h http.Header) error {
	if h.Get("X-Versions-Location") != "" || h.Get("X-History-Location") != "" {
		return refuse(http.StatusPreconditionFailed, "Versioned Writes is disabled")
	}
	switch strings.ToLower(h.Get("X-Versions-Enabled")) {
	case "":
	case "true", "1", "yes", "on", "t", "y":
		c.Versioning = versioningOn
		if c.Versions == nil {
			c.Versions = map[string][]*object{}
		}
	default:
		if c.Versioning != "" {
			c.Versioning = versioningOff
		}
	}
	return nil
}

// newVersion gives an id that no other version of the name has: the time, as in Swift.
func (c *container) newVersion(name string, at time.Time) string {
	for {
		id := timestamp(at)
		if !slices.ContainsFunc(c.Versions[name], func(o *object) bool { return o.Version == id }) {
			return id
		}
		at = at.Add(10 * time.Microsecond)
	}
}

// addVersion keeps an object as the newest version of its name.
func (c *container) addVersion(name string, o *object) {
	o.Version = c.newVersion(name, o.Modified)
	c.Versions[name] = append(c.Versions[name], o)
}

// archive makes a version of an object that was put while versioning was off.
func (c *container) archive(name string) {
	if old := c.Objects[name]; old != nil && old.Version == "" {
		kept := *old
		c.addVersion(name, &kept)
		c.Objects[name] = &kept
	}
}

// changeLocked puts an object with other metadata in the place of what it was made of.
func (s *Service) changeLocked(c *container, name string, o *object) {
	c.expires(o)
	c.Objects[name] = o
	if i := c.version(name, o.Version); i >= 0 {
		c.Versions[name][i] = o
	}
}

// deleteLocked deletes an object as its container is set to: for good, or leaving its versions and a marker, whose id it gives.
func (s *Service) deleteLocked(c *container, name string) (version string) {
	if c.Versioning == versioningOn {
		c.archive(name)
		marker := &object{ContentType: deletedType, ETag: emptyETag, Modified: s.c.Now(), Deleted: true}
		c.addVersion(name, marker)
		version = marker.Version
	}
	s.dropLocked(c, name)
	return version
}

// version finds a version of a name; -1 if there is none.
func (c *container) version(name, id string) int {
	return slices.IndexFunc(c.Versions[name], func(o *object) bool { return o.Version == id })
}

// versionLocked gives the version that a call asks for, or the object as it is.
func (s *Service) versionLocked(project, container, name, id string) (*object, error) {
	c, err := s.containerLocked(project, container)
	if err != nil {
		return nil, err
	}
	o := c.Objects[name]
	if id != "" && (id != nullVersion || o == nil || o.Version != "") {
		i := c.version(name, id)
		if i < 0 || c.Versions[name][i].Deleted {
			return nil, status(http.StatusNotFound)
		}
		o = c.Versions[name][i]
	}
	if o == nil {
		return nil, status(http.StatusNotFound)
	}
	return o, nil
}

// deleteVersion deletes one version for good, and the object with it if it is that.
func (c *call) deleteVersion(id string) error {
	if !c.owner {
		return status(http.StatusForbidden)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	one, err := c.s.containerLocked(c.account, c.container)
	if err != nil {
		return err
	}
	current := one.Objects[c.object]
	if id == nullVersion && current != nil && current.Version == "" {
		c.s.dropLocked(one, c.object)
		return c.done(http.StatusNoContent)
	}
	i := one.version(c.object, id)
	if i < 0 {
		return status(http.StatusNotFound)
	}
	c.s.dropVersionLocked(one, c.object, i)
	c.w.Header().Set("X-Object-Version-Id", id)
	return c.done(http.StatusNoContent)
}

func (s *Service) dropVersionLocked(c *container, name string, i int) {
	o := c.Versions[name][i]
	if c.Versions[name] = slices.Delete(c.Versions[name], i, i+1); len(c.Versions[name]) == 0 {
		delete(c.Versions, name)
	}
	if current := c.Objects[name]; current != nil && current.Version == o.Version {
		delete(c.Objects, name)
	}
	if o.Blob != "" {
		_ = os.Remove(s.blob(o.Blob)) // one that stays is unclaimed and goes at the next start
	}
}

// versionHeader names the version that a call answers with, where there are versions.
func (c *call) versionHeader(o *object) {
	switch {
	case o.Version != "":
		c.w.Header().Set("X-Object-Version-Id", o.Version)
	case c.s.accounts[c.account].Containers[c.container].Versioning != "":
		c.w.Header().Set("X-Object-Version-Id", nullVersion)
	}
}

// names are those of the objects, and of versions of what is deleted.
func (c *container) names(versions bool) []string {
	names := maps.Clone(c.Objects)
	if versions {
		for name := range c.Versions {
			names[name] = nil
		}
	}
	return slices.Collect(maps.Keys(names))
}

// versionRows lists what there is under a name, the newest first.
func (c *container) versionRows(name string) []any {
	var rows []any
	current := c.Objects[name]
	add := func(o *object, id string, latest bool) {
		row := o.row(name)
		row.Version, row.Latest = id, &latest
		rows = append(rows, row)
	}
	if current != nil && current.Version == "" {
		add(current, nullVersion, true)
	}
	for i, o := range slices.Backward(c.Versions[name]) {
		add(o, o.Version, current != nil && current.Version == o.Version || current == nil && o.Deleted && i == len(c.Versions[name])-1)
	}
	return rows
}

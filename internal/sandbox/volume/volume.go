// Package volume pretends to be Cinder, the block storage service of one region: volumes, snapshots and backups without data.
//
// A Service is an http.Handler that sees paths as they are behind the service's endpoint root, with or without the project in
// them. What takes a moment in a real cloud takes a second or two of Config.Now here, so that clients that wait have something
// to wait for. Compute, which stands in the same process, uses the Go methods:
//
//	v, err := volumes.Create(volume.Spec{Project: project, Size: 10, ImageID: debian.ID})
//	at, err := volumes.Attach(project, v.ID, server, "/dev/sdb")
package volume

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// Config configures a Service.
type Config struct {
	Region    string           // names the region; the ids of the volume types follow from it
	Dir       string           // where the state is kept; "": nowhere
	Now       func() time.Time // nil: time.Now
	PublicURL string           // the endpoint's root as clients know it, for links; "": what the request says
	Images    *image.Service   // the same region's images, which volumes are made from and uploaded to
	Quota     Quota            // the zero Quota: 20 volumes, 1000 GiB, 20 snapshots, 10 backups of 1000 GiB
}

// A Quota is what one project may have. Sizes are GiB.
type Quota struct{ Volumes, Gigabytes, Snapshots, Backups, BackupGigabytes int }

// A Service is the block storage of one region.
type Service struct {
	c      Config
	store  rest.Store
	router *rest.Router

	mu    sync.Mutex
	state state // guarded by mu
}

type state struct {
	Volumes   map[string]*Volume
	Snapshots map[string]*snapshot
	Backups   map[string]*backup
	Transfers map[string]*transfer
}

// A Volume is what is known of a volume. Size is GiB.
type Volume struct {
	ID, Project, User  string
	Name, Description  string
	Type, Zone         string
	Size               int
	Bootable, ReadOnly bool
	Multiattach        bool
	Metadata           map[string]string
	ImageMetadata      map[string]string // of the image it was made from
	SnapshotID         string            // it was made from this snapshot
	SourceID           string            // or this volume
	Attachments        []Attachment
	CreatedAt          time.Time
	UpdatedAt          time.Time
	Status             string // as computed for the caller of Get, Create or Attach
	Life               life
	Hold               string // attaching, detaching or awaiting-transfer, between the two calls of a handshake
}

// An Attachment ties a volume to a server.
type Attachment struct {
	ID, VolumeID, ServerID, Device string
	Mode                           string // rw or ro
	AttachedAt                     time.Time
	Reserved                       bool // made by the attachments API and not completed yet
}

// A life is what an object is going through: Busy until a time, and then as it was, or gone.
type life struct {
	Busy  string
	Until time.Time
	Gone  bool // when Until has come
}

const (
	short = 1 * time.Second
	long  = 2 * time.Second
)

func (l *life) begin(busy string, until time.Time) { l.Busy, l.Until = busy, until }
func (l *life) end(until time.Time)                { l.Busy, l.Until, l.Gone = "deleting", until, true }
func (l life) over(now time.Time) bool             { return l.Gone && !now.Before(l.Until) }

// status gives Busy while it lasts and then.
func (l life) status(now time.Time, then string) string {
	if now.Before(l.Until) {
		return l.Busy
	}
	return then
}

func (v *Volume) status(now time.Time) string {
	then := "available"
	switch {
	case v.Hold != "":
		then = v.Hold
	case slices.ContainsFunc(v.Attachments, func(a Attachment) bool { return !a.Reserved }):
		then = "in-use"
	case len(v.Attachments) > 0:
		then = "reserved"
	}
	return v.Life.status(now, then)
}

// New opens the Service with what an earlier one left in Dir.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Quota == (Quota{}) {
		c.Quota = Quota{Volumes: 20, Gigabytes: 1000, Snapshots: 20, Backups: 10, BackupGigabytes: 1000}
	}
	s := &Service{c: c, store: rest.NewStore(c.Dir, "volume", c.Region)}
	if err := s.store.Load(&s.state); err != nil {
		return nil, err
	}
	if s.state.Volumes == nil {
		s.state = state{map[string]*Volume{}, map[string]*snapshot{}, map[string]*backup{}, map[string]*transfer{}}
	}
	s.router = s.routes()
	return s, nil
}

// Close saves the state.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.Save(s.state)
}

// lock takes the mutex and lets go of what has been deleted meanwhile.
func (s *Service) lock() {
	s.mu.Lock()
	now := s.c.Now()
	maps.DeleteFunc(s.state.Snapshots, func(_ string, x *snapshot) bool { return x.Life.over(now) })
	maps.DeleteFunc(s.state.Volumes, func(_ string, x *Volume) bool { return x.Life.over(now) })
	maps.DeleteFunc(s.state.Backups, func(_ string, x *backup) bool { return x.Life.over(now) })
}

func (s *Service) after(d time.Duration) time.Time { return s.c.Now().Add(d) }

// A Type is a kind of volume that the region offers.
type Type struct{ ID, Name, Description string }

// types gives the region's types, the default one first.
func (s *Service) types() []Type {
	all := []Type{
		{Name: "classic", Description: "Hard disks, 250 IOPS"},
		{Name: "high-speed", Description: "SSD, up to 3000 IOPS"},
		{Name: "high-speed-gen2", Description: "NVMe, 30 IOPS per GiB"},
	}
	for i := range all {
		all[i].ID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("stackgate:volume type:"+s.c.Region+":"+all[i].Name)).String()
	}
	return all
}

func (s *Service) typeOf(nameOrID string) (Type, bool) {
	all := s.types()
	at := slices.IndexFunc(all, func(t Type) bool { return t.Name == nameOrID || t.ID == nameOrID })
	if nameOrID == "" || nameOrID == "__DEFAULT__" {
		at = 0
	}
	if at < 0 {
		return Type{}, false
	}
	return all[at], true
}

func invalid(format string, args ...any) error {
	return rest.Errorf(http.StatusBadRequest, format, args...)
}

func notFound(format string, args ...any) error {
	return rest.Errorf(http.StatusNotFound, format, args...)
}

func overLimit(format string, args ...any) error {
	return rest.Errorf(http.StatusRequestEntityTooLarge, format, args...)
}

// A Spec is what a new volume is to be. At most one of the three sources is set.
type Spec struct {
	Project, User                 string
	Name, Description, Type, Zone string
	Size                          int // GiB; 0: that of the source
	ImageID, SnapshotID, SourceID string
	Multiattach                   bool
	Metadata                      map[string]string
}

// Create makes a volume, which is creating for two seconds. Errors are rest.Error as Cinder would answer: 400, 404, 413.
func (s *Service) Create(spec Spec) (Volume, error) {
	s.lock()
	defer s.mu.Unlock()
	v, err := s.createLocked(spec)
	if err != nil {
		return Volume{}, err
	}
	return s.copy(v), nil
}

func (s *Service) createLocked(spec Spec) (*Volume, error) {
	now := s.c.Now()
	v := &Volume{
		ID: rest.NewID(), Project: spec.Project, User: spec.User, Name: spec.Name, Description: spec.Description, Zone: "nova", Size: spec.Size,
		Multiattach: spec.Multiattach, Metadata: maps.Clone(spec.Metadata), CreatedAt: now, UpdatedAt: now,
	}
	v.Life.begin("creating", s.after(long))
	if spec.Zone != "" && spec.Zone != "nova" {
		return nil, invalid("Invalid input received: Availability zone '%s' is invalid.", spec.Zone)
	}
	if err := s.fromSource(v, spec); err != nil {
		return nil, err
	}
	if v.Type == "" || spec.Type != "" {
		t, ok := s.typeOf(spec.Type)
		if !ok {
			return nil, notFound("Volume type with name %s could not be found.", spec.Type)
		}
		v.Type = t.Name
	}
	if v.Size <= 0 {
		return nil, invalid("Invalid input received: Invalid volume size provided for create request: %d (size argument must be an integer "+
			"(or string representation of an integer) and greater than zero).", v.Size)
	}
	if err := s.roomLocked(spec.Project, 1, v.Size); err != nil {
		return nil, err
	}
	s.state.Volumes[v.ID] = v
	return v, nil
}

// fromSource fills in what the volume takes from its snapshot, volume or image.
func (s *Service) fromSource(v *Volume, spec Spec) error {
	switch {
	case spec.SnapshotID != "":
		from, err := s.snapshotLocked(spec.Project, spec.SnapshotID)
		if err != nil {
			return err
		}
		if status := from.Life.status(s.c.Now(), "available"); status != "available" {
			return invalid("Invalid snapshot: Originating snapshot status must be one of 'available' values")
		}
		v.SnapshotID, v.Bootable, v.ImageMetadata, v.Type = from.ID, from.Bootable, maps.Clone(from.ImageMetadata), from.Type
		return v.atLeast(from.Size, "snapshot size")
	case spec.SourceID != "":
		from, err := s.volumeLocked(spec.Project, spec.SourceID)
		if err != nil {
			return err
		}
		if status := from.status(s.c.Now()); status != "available" && status != "in-use" {
			return invalid("Invalid volume: Originating volume status must be one of 'available', 'in-use' values")
		}
		v.SourceID, v.Bootable, v.ImageMetadata, v.Type = from.ID, from.Bootable, maps.Clone(from.ImageMetadata), from.Type
		return v.atLeast(from.Size, "original volume size")
	case spec.ImageID != "":
		return s.fromImage(v, spec)
	}
	return nil
}

func (s *Service) fromImage(v *Volume, spec Spec) error {
	img, ok := image.Image{}, false
	if s.c.Images != nil {
		img, ok = s.c.Images.Get(spec.Project, spec.ImageID)
	}
	if !ok {
		return invalid("Invalid input received: Invalid image identifier or unable to access requested image.")
	}
	if img.Status != image.Active {
		return invalid("Invalid input received: Image %s is not active.", img.ID)
	}
	if v.Size > 0 && v.Size < img.MinDisk {
		return invalid("Invalid input received: Volume size %dGB cannot be smaller than the image minDisk size %dGB.", v.Size, img.MinDisk)
	}
	v.Bootable = true
	v.ImageMetadata = maps.Clone(img.Properties)
	if v.ImageMetadata == nil {
		v.ImageMetadata = map[string]string{}
	}
	maps.Copy(v.ImageMetadata, map[string]string{
		"image_id": img.ID, "image_name": img.Name, "checksum": img.Checksum, "container_format": img.ContainerFormat,
		"disk_format": img.DiskFormat, "min_disk": fmt.Sprint(img.MinDisk), "min_ram": fmt.Sprint(img.MinRAM), "size": fmt.Sprint(img.Size),
	})
	return nil
}

func (v *Volume) atLeast(size int, what string) error {
	if v.Size == 0 {
		v.Size = size
	}
	if v.Size < size {
		return invalid("Invalid input received: Volume size '%d' GB cannot be smaller than the %s %d GB. They must be >= %[2]s.", v.Size, what, size)
	}
	return nil
}

func (s *Service) copy(v *Volume) Volume {
	c := *v
	c.Status = v.status(s.c.Now())
	c.Metadata, c.ImageMetadata, c.Attachments = maps.Clone(v.Metadata), maps.Clone(v.ImageMetadata), slices.Clone(v.Attachments)
	return c
}

// volumeLocked gives a project's volume or Cinder's 404.
func (s *Service) volumeLocked(project, id string) (*Volume, error) {
	v, ok := s.state.Volumes[id]
	if !ok || v.Project != project {
		return nil, notFound("Volume %s could not be found.", id)
	}
	return v, nil
}

// Get gives a project's volume as it is now.
func (s *Service) Get(project, id string) (Volume, bool) {
	s.lock()
	defer s.mu.Unlock()
	v, err := s.volumeLocked(project, id)
	if err != nil {
		return Volume{}, false
	}
	return s.copy(v), true
}

// Attach ties an available volume to a server; the volume is in-use from then on. Errors are rest.Error: 400, 404.
func (s *Service) Attach(project, id, server, device string) (Attachment, error) {
	s.lock()
	defer s.mu.Unlock()
	v, err := s.volumeLocked(project, id)
	if err != nil {
		return Attachment{}, err
	}
	return s.attachLocked(v, server, device, "rw")
}

func (s *Service) attachLocked(v *Volume, server, device, mode string) (Attachment, error) {
	status := v.status(s.c.Now())
	if status != "available" && status != "attaching" && (status != "in-use" || !v.Multiattach) {
		return Attachment{}, invalid("Invalid volume: volume '%s' status must be 'available' or 'in-use'. Currently in '%s' status.", v.ID, status)
	}
	a := Attachment{ID: rest.NewID(), VolumeID: v.ID, ServerID: server, Device: device, Mode: mode, AttachedAt: s.c.Now()}
	v.Attachments, v.Hold, v.UpdatedAt = append(v.Attachments, a), "", s.c.Now()
	return a, nil
}

// Detach unties a volume from a server. Errors are rest.Error: 400 if it is not attached to it, 404.
func (s *Service) Detach(project, id, server string) error {
	s.lock()
	defer s.mu.Unlock()
	v, err := s.volumeLocked(project, id)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(v.Attachments, func(a Attachment) bool { return a.ServerID == server })
	if at < 0 {
		return invalid("Invalid volume: Unable to detach volume. Volume is not attached to server %s.", server)
	}
	v.Attachments, v.Hold, v.UpdatedAt = slices.Delete(v.Attachments, at, at+1), "", s.c.Now()
	return nil
}

// Delete deletes a project's volume as the API does: for volumes that go with their server. Errors are rest.Error: 400, 404.
func (s *Service) Delete(project, id string) error {
	s.lock()
	defer s.mu.Unlock()
	v, err := s.volumeLocked(project, id)
	if err != nil {
		return err
	}
	return s.deleteLocked(v, false)
}

// deleteLocked lets a volume go, with its snapshots if cascade says so.
func (s *Service) deleteLocked(v *Volume, cascade bool) error {
	var snapshots []*snapshot
	for _, x := range s.state.Snapshots {
		if x.VolumeID == v.ID && !x.Life.Gone {
			snapshots = append(snapshots, x)
		}
	}
	if status := v.status(s.c.Now()); status == "deleting" {
		return nil
	} else if status != "available" || len(v.Attachments) > 0 || len(snapshots) > 0 && !cascade {
		return invalid("Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not " +
			"be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.")
	}
	for _, x := range snapshots {
		x.Life.end(s.after(short))
	}
	v.Life.end(s.after(short))
	return nil
}

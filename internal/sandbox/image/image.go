// Package image pretends to be Glance, the image service of one region: the Image API v2, with data on disk.
//
// A Service is an http.Handler that sees paths as they are behind the service's endpoint root. Images of the project that
// asks, images shared with it, and the region's own public images are visible; nobody but the sandbox itself makes public
// ones. Compute and volume, which stand in the same process, use the Go methods:
//
//	debian, ok := images.Public("Debian 12")
//	snapshot, err := images.Create(image.Spec{Project: project, Name: "before the upgrade"})
package image

import (
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// Config configures a Service.
type Config struct {
	Region       string           // names the region; the ids of the public images follow from it
	Dir          string           // where images and their data are kept; "": a temporary folder, removed on Close
	Now          func() time.Time // nil: time.Now
	PublicURL    string           // the endpoint's root as clients know it, for links; "": what the request says
	MaxImageSize int64            // bytes of one image; 0: 20 GiB
	Quota        int64            // bytes of all images of one project; 0: 100 GiB
}

// A Service is the image service of one region.
type Service struct {
	c         Config
	store     rest.Store
	router    *rest.Router
	blobs     string // the folder of the images' data
	temporary bool   // blobs is removed on Close

	mu     sync.Mutex
	images map[string]*Image // by id; guarded by mu
}

// A Status is where an image is in its life.
type Status string

// The statuses of the Image API v2 that an image here can have.
const (
	Queued      Status = "queued"
	Saving      Status = "saving"
	Uploading   Status = "uploading" // data is staged, not yet imported
	Importing   Status = "importing"
	Active      Status = "active"
	Deactivated Status = "deactivated"
)

// A Visibility says which projects see an image.
type Visibility string

// The visibilities of the Image API v2. A shared image is its owner's and its members'.
const (
	Public    Visibility = "public"
	Private   Visibility = "private"
	Shared    Visibility = "shared"
	Community Visibility = "community"
)

// An Image is what is known of an image. Sizes are bytes, MinDisk GiB, MinRAM MiB.
type Image struct {
	ID, Name, Owner             string
	Status                      Status
	Visibility                  Visibility
	Protected, Hidden           bool
	ContainerFormat, DiskFormat string // "": not set yet
	MinDisk, MinRAM             int
	Size                        int64 // meaningful once there is data
	Checksum, Hash              string
	Tags                        []string
	Members                     map[string]Member `json:",omitempty"`
	Properties                  map[string]string
	CreatedAt, UpdatedAt        time.Time
	ReadyAt                     time.Time // until then a snapshot is queued or saving, and an import importing
	Generated                   bool      // the data is made up from the id, not on disk
	Importing                   bool      // on the way to active by import
}

// A Member is another project that an image is shared with.
type Member struct {
	Status               string // pending, accepted or rejected
	CreatedAt, UpdatedAt time.Time
}

// hasData reports whether the image can be downloaded at all.
func (i *Image) hasData() bool { return i.Checksum != "" }

func (i *Image) clone() *Image {
	c := *i
	c.Tags, c.Members, c.Properties = slices.Clone(i.Tags), maps.Clone(i.Members), maps.Clone(i.Properties)
	return &c
}

const (
	defaultMaxImageSize = 20 << 30
	defaultQuota        = 100 << 30
	generatedSize       = 64 << 10
	snapshotQueued      = 1 * time.Second
	snapshotSaved       = 2 * time.Second
	importTime          = 1 * time.Second
)

// New opens the Service with what an earlier one left in Dir.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxImageSize == 0 {
		c.MaxImageSize = defaultMaxImageSize
	}
	if c.Quota == 0 {
		c.Quota = defaultQuota
	}
	s := &Service{c: c, images: map[string]*Image{}, store: rest.NewStore(c.Dir, "image", c.Region)}
	s.router = s.routes()
	if err := s.store.Load(&s.images); err != nil {
		return nil, err
	}
	if err := s.makeFolder(); err != nil {
		return nil, fmt.Errorf("image service's folder: %w", err)
	}
	for _, img := range s.images {
		if img.Status == Saving {
			img.Status = Queued // the upload ended with the process, and so Glance leaves it
		}
	}
	s.seed()
	return s, nil
}

func (s *Service) makeFolder() (err error) {
	if s.c.Dir == "" {
		s.temporary = true
		s.blobs, err = os.MkdirTemp("", "stackgate-image-")
		return err
	}
	s.blobs = filepath.Join(s.c.Dir, s.c.Region+"-image")
	return os.MkdirAll(s.blobs, 0o700)
}

func (s *Service) blob(id string) string   { return filepath.Join(s.blobs, id) }
func (s *Service) staged(id string) string { return s.blob(id) + ".staged" }

// Close saves the state, or removes it where it was temporary.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.temporary {
		return os.RemoveAll(s.blobs)
	}
	return s.store.Save(s.images)
}

// seed makes the region's own public images. Their ids follow from region and name, so they are the same after a restart.
func (s *Service) seed() {
	born := time.Date(2024, 6, 3, 9, 0, 0, 0, time.UTC)
	distros := []struct{ name, distro, version, user string }{
		{"Debian 11", "debian", "11", "debian"}, {"Debian 12", "debian", "12", "debian"}, {"Debian 13", "debian", "13", "debian"},
		{"Ubuntu 22.04", "ubuntu", "22.04", "ubuntu"}, {"Ubuntu 24.04", "ubuntu", "24.04", "ubuntu"},
		{"AlmaLinux 9", "almalinux", "9", "almalinux"}, {"Rocky Linux 9", "rocky", "9", "rocky"},
		{"Fedora 42", "fedora", "42", "fedora"},
	}
	for _, d := range distros {
		img := &Image{
			ID: s.publicID(d.name), Name: d.name, Visibility: Public, Status: Active, ContainerFormat: "bare", DiskFormat: "raw",
			Generated: true, Properties: map[string]string{
				"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "hw_qemu_guest_agent": "yes", "hypervisor_type": "qemu",
				"image_original_user": d.user, "os_distro": d.distro, "os_version": d.version, "os_type": "linux",
			},
			CreatedAt: born, UpdatedAt: born,
		}
		img.describeGenerated()
		s.images[img.ID] = img
	}
}

func (s *Service) publicID(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("stackgate:image:"+s.c.Region+":"+name)).String()
}

// generated is the made-up data of images that nobody uploaded.
func (i *Image) generated() []byte {
	line := []byte("stackgate sandbox image " + i.ID + "\n")
	b := make([]byte, 0, generatedSize+len(line))
	for len(b) < generatedSize {
		b = append(b, line...)
	}
	return b[:generatedSize]
}

func (i *Image) describeGenerated() {
	data := i.generated()
	sum, hash := md5.Sum(data), sha512.Sum512(data)
	i.Size, i.Checksum, i.Hash = int64(len(data)), hex.EncodeToString(sum[:]), hex.EncodeToString(hash[:])
}

// A Spec is what compute and volume say of an image they make.
type Spec struct {
	Project         string
	Name            string
	DiskFormat      string // "": raw
	ContainerFormat string // "": bare
	Visibility      Visibility
	Protected       bool
	MinDisk, MinRAM int
	Properties      map[string]string
}

// Create makes an image from a server or a volume. It is queued, then saving, and after two seconds active. A project that
// has no room left is refused with a rest.Error 413.
func (s *Service) Create(spec Spec) (Image, error) {
	now := s.now()
	img := &Image{
		ID: rest.NewID(), Name: spec.Name, Owner: spec.Project, Status: Active, Visibility: spec.Visibility, Protected: spec.Protected,
		DiskFormat: spec.DiskFormat, ContainerFormat: spec.ContainerFormat, MinDisk: spec.MinDisk, MinRAM: spec.MinRAM,
		Properties: maps.Clone(spec.Properties), Generated: true, CreatedAt: now, UpdatedAt: now, ReadyAt: s.c.Now().Add(snapshotSaved),
	}
	if img.DiskFormat == "" {
		img.DiskFormat = "raw"
	}
	if img.ContainerFormat == "" {
		img.ContainerFormat = "bare"
	}
	if img.Visibility == "" {
		img.Visibility = Private
	}
	if img.Visibility == Public {
		return Image{}, denied("You are not authorized to complete publicize_image action.")
	}
	img.describeGenerated()
	s.mu.Lock()
	defer s.mu.Unlock()
	if used := s.usedLocked(spec.Project); used+img.Size > s.c.Quota {
		return Image{}, overQuota(img.Size, s.c.Quota-used)
	}
	s.images[img.ID] = img
	return *s.viewLocked(img), nil
}

// Get gives an image as a project sees it now; false if it does not see it.
func (s *Service) Get(project, id string) (Image, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	img, ok := s.visibleLocked(project, id)
	if !ok {
		return Image{}, false
	}
	return *img, true
}

// Exists reports whether a project sees an image.
func (s *Service) Exists(project, id string) bool {
	_, ok := s.Get(project, id)
	return ok
}

// Public gives the region's public image of a name, such as "Debian 12".
func (s *Service) Public(name string) (Image, bool) { return s.Get("", s.publicID(name)) }

func (s *Service) now() time.Time { return s.c.Now().UTC().Truncate(time.Second) }

// visibleLocked gives a copy of the image as it is now.
func (s *Service) visibleLocked(project, id string) (*Image, bool) {
	img, ok := s.images[id]
	if !ok || !img.visibleTo(project) {
		return nil, false
	}
	return s.viewLocked(img), true
}

func (i *Image) visibleTo(project string) bool {
	if i.Visibility == Public || i.Visibility == Community || project != "" && i.Owner == project {
		return true
	}
	_, member := i.Members[project]
	return i.Visibility == Shared && member
}

// viewLocked copies the image with the status that time has brought it to.
func (s *Service) viewLocked(img *Image) *Image {
	v := img.clone()
	left := v.ReadyAt.Sub(s.c.Now())
	switch {
	case v.Status == Uploading:
		v.Size, v.Checksum, v.Hash = 0, "", "" // known, and not told before it is imported
	case v.Status != Active || left <= 0:
	case v.Importing:
		v.Status = Importing
	case left > snapshotSaved-snapshotQueued:
		v.Status, v.Size, v.Checksum, v.Hash = Queued, 0, "", ""
	default:
		v.Status, v.Size, v.Checksum, v.Hash = Saving, 0, "", ""
	}
	return v
}

// usedLocked gives the bytes of a project's images.
func (s *Service) usedLocked(project string) int64 {
	var n int64
	for _, img := range s.images {
		if img.Owner == project && img.hasData() {
			n += img.Size
		}
	}
	return n
}

func overQuota(size, left int64) error {
	return rest.Errorf(http.StatusRequestEntityTooLarge, "The size of the data %d will exceed the limit. %d bytes remaining.", size, max(left, 0))
}

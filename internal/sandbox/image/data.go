package image

import (
	"bytes"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

const importMethod = "glance-direct"

func (s *Service) download(w http.ResponseWriter, r *rest.Request) error {
	img, ok := s.Get(r.ProjectID, r.Param("id"))
	switch {
	case !ok:
		return noImage(r.Param("id"))
	case img.Status == Deactivated && img.Owner != "":
		return denied("The requested image has been deactivated. Image data download is forbidden.")
	case img.Status != Active:
		return rest.NoContent(w, r, http.StatusNoContent)
	}
	var data io.ReadSeeker = bytes.NewReader(img.generated())
	if !img.Generated {
		f, err := os.Open(s.blob(img.ID))
		if errors.Is(err, fs.ErrNotExist) {
			return notFound("Image %s has no data.", img.ID) // deleted meanwhile
		}
		if err != nil {
			return err
		}
		defer f.Close()
		data = f
	}
	rest.SetRequestID(w, r.Request)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-MD5", img.Checksum)
	http.ServeContent(w, r.Request, "", img.UpdatedAt, data)
	return nil
}

// upload takes an image's data straight to active.
func (s *Service) upload(w http.ResponseWriter, r *rest.Request) error {
	if err := s.begin(r, Saving); err != nil {
		return err
	}
	d, err := s.receive(r, s.blob(r.Param("id")))
	if err := s.finish(r.Param("id"), s.blob(r.Param("id")), Active, d, err); err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

// stage takes an image's data to be imported later.
func (s *Service) stage(w http.ResponseWriter, r *rest.Request) error {
	if err := s.begin(r, Uploading); err != nil {
		return err
	}
	d, err := s.receive(r, s.staged(r.Param("id")))
	if err := s.finish(r.Param("id"), s.staged(r.Param("id")), Uploading, d, err); err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

// begin moves a queued image on, so that nobody else sends data for it at the same time.
func (s *Service) begin(r *rest.Request, to Status) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/octet-stream" {
		return rest.Errorf(http.StatusUnsupportedMediaType, "Unsupported Media Type: image data is application/octet-stream.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	img, err := s.ownedLocked(r, "upload_image")
	if err != nil {
		return err
	}
	if now := s.viewLocked(img).Status; now != Queued {
		return conflict("Image status transition from %s to %s is not allowed", now, to)
	}
	if img.DiskFormat == "" || img.ContainerFormat == "" {
		return invalid("Properties disk_format, container_format must be set prior to saving data.")
	}
	if left := s.c.Quota - s.usedLocked(r.ProjectID); r.ContentLength > left || left <= 0 {
		return overQuota(max(r.ContentLength, 0), left)
	}
	if r.ContentLength > s.c.MaxImageSize {
		return s.tooLarge()
	}
	next := img.clone()
	next.Status = to
	s.images[next.ID] = next
	return nil
}

func (s *Service) tooLarge() error {
	return rest.Errorf(http.StatusRequestEntityTooLarge, "Denying attempt to upload image larger than %d bytes.", s.c.MaxImageSize)
}

// A digest is what is known of data once it is all here.
type digest struct {
	size           int64
	checksum, hash string
}

// receive streams a body to a file beside path and puts it in its place when it is whole.
func (s *Service) receive(r *rest.Request, path string) (digest, error) {
	f, err := os.CreateTemp(s.blobs, ".receiving-*")
	if err != nil {
		return digest{}, err
	}
	d, err := s.copy(f, r.Body)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is why there is nothing to keep
		return digest{}, err
	}
	return d, nil
}

func (s *Service) copy(to io.Writer, body io.Reader) (digest, error) {
	sum, hash := md5.New(), sha512.New()
	n, err := io.Copy(io.MultiWriter(to, sum, hash), io.LimitReader(body, s.c.MaxImageSize+1))
	if err != nil {
		return digest{}, invalid("The image's data could not be read to its end.")
	}
	if n > s.c.MaxImageSize {
		return digest{}, s.tooLarge()
	}
	return digest{n, hex.EncodeToString(sum.Sum(nil)), hex.EncodeToString(hash.Sum(nil))}, nil
}

// finish notes what came, in the file, and moves the image on; or back to queued when it did not come.
func (s *Service) finish(id, file string, to Status, d digest, err error) error {
	if err != nil {
		s.fail(id)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	img, ok := s.images[id]
	if !ok {
		_ = os.Remove(file) // deleted while it came in
		return notFound("Image %s could not be found after upload. The image may have been deleted during the upload.", id)
	}
	next := img.clone()
	defer func() { s.images[id] = next }()
	if left := s.c.Quota - s.usedLocked(img.Owner); d.size > left { // the length was not known before
		next.Status = Queued
		return errors.Join(overQuota(d.size, left), os.Remove(file))
	}
	next.Status, next.Size, next.Checksum, next.Hash, next.UpdatedAt = to, d.size, d.checksum, d.hash, s.now()
	return nil
}

func (s *Service) fail(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if img, ok := s.images[id]; ok {
		next := img.clone()
		next.Status = Queued
		s.images[id] = next
	}
}

// importStaged makes staged data the image's own. The other method that Glance has, web-download, would have the server fetch
// from an address of the client's choice, and is not offered.
func (s *Service) importStaged(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Method struct {
			Name string `json:"name"`
		} `json:"method"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if body.Method.Name != importMethod {
		return invalid("Unknown import method name '%s'.", body.Method.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	img, err := s.ownedLocked(r, "modify_image")
	if err != nil {
		return err
	}
	if now := s.viewLocked(img).Status; now != Uploading {
		return conflict("Image %s in %s state. Expecting 'uploading' state", img.ID, now)
	}
	if err := os.Rename(s.staged(img.ID), s.blob(img.ID)); errors.Is(err, fs.ErrNotExist) {
		return conflict("Image %s has no staged data yet.", img.ID)
	} else if err != nil {
		return err
	}
	next := img.clone()
	next.Status, next.UpdatedAt = Active, s.now()
	next.Importing, next.ReadyAt = true, s.c.Now().Add(importTime)
	s.images[next.ID] = next
	return rest.NoContent(w, r, http.StatusAccepted)
}

func (s *Service) tasks(w http.ResponseWriter, r *rest.Request) error {
	if !s.Exists(r.ProjectID, r.Param("id")) {
		return noImage(r.Param("id"))
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"tasks": []any{}})
}

func (s *Service) deactivate(w http.ResponseWriter, r *rest.Request) error {
	return s.activate(w, r, "deactivate", Active, Deactivated)
}

func (s *Service) reactivate(w http.ResponseWriter, r *rest.Request) error {
	return s.activate(w, r, "reactivate", Deactivated, Active)
}

func (s *Service) activate(w http.ResponseWriter, r *rest.Request, action string, from, to Status) error {
	_, err := s.change(r, action, func(img *Image) error {
		if now := s.viewLocked(img).Status; now != from && now != to {
			return denied("Not allowed to %s image in status '%s'", action, now)
		}
		img.Status = to
		return nil
	})
	if err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

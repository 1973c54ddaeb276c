package image

import (
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func (s *Service) addTag(w http.ResponseWriter, r *rest.Request) error {
	tag := r.Param("tag")
	_, err := s.change(r, "modify_image", func(img *Image) error {
		if utf8.RuneCountInString(tag) > maxText || !utf8.ValidString(tag) {
			return mismatch("tags", tag, "a string of at most 255 characters")
		}
		if slices.Contains(img.Tags, tag) {
			return nil
		}
		if len(img.Tags) >= maxTags {
			return tooManyTags(len(img.Tags) + 1)
		}
		img.Tags = append(img.Tags, tag)
		return nil
	})
	if err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

func (s *Service) removeTag(w http.ResponseWriter, r *rest.Request) error {
	_, err := s.change(r, "modify_image", func(img *Image) error {
		at := slices.Index(img.Tags, r.Param("tag"))
		if at < 0 {
			return notFound("Tag %s could not be found.", r.Param("tag"))
		}
		img.Tags = slices.Delete(img.Tags, at, at+1)
		return nil
	})
	if err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

func (m Member) view(image, project string) map[string]any {
	return map[string]any{
		"image_id": image, "member_id": project, "status": m.Status, "created_at": rest.Time(m.CreatedAt), "updated_at": rest.Time(m.UpdatedAt),
		"schema": "/v2/schemas/member",
	}
}

// shared gives the image whose members are asked for.
func (s *Service) shared(r *rest.Request) (Image, error) {
	img, ok := s.Get(r.ProjectID, r.Param("id"))
	if !ok {
		return Image{}, noImage(r.Param("id"))
	}
	if img.Visibility != Shared {
		return Image{}, denied("Only shared images have members.")
	}
	return img, nil
}

// members lists those an image is shared with; a member sees itself only.
func (s *Service) members(w http.ResponseWriter, r *rest.Request) error {
	img, err := s.shared(r)
	if err != nil {
		return err
	}
	views := []any{}
	for _, project := range slices.Sorted(maps.Keys(img.Members)) {
		if img.Owner == r.ProjectID || project == r.ProjectID {
			views = append(views, img.Members[project].view(img.ID, project))
		}
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"members": views, "schema": "/v2/schemas/members"})
}

func (s *Service) member(w http.ResponseWriter, r *rest.Request) error {
	img, err := s.shared(r)
	if err != nil {
		return err
	}
	name := r.Param("member")
	m, ok := img.Members[name]
	if !ok || img.Owner != r.ProjectID && name != r.ProjectID {
		return notFound("%s not found in the member list of the image %s.", name, img.ID)
	}
	return rest.WriteJSON(w, r, http.StatusOK, m.view(img.ID, name))
}

func (s *Service) addMember(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Member string `json:"member"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if body.Member == "" || utf8.RuneCountInString(body.Member) > maxText {
		return invalid("Member can't be empty")
	}
	img, err := s.change(r, "add_member", func(img *Image) error {
		if img.Visibility != Shared {
			return denied("Only shared images have members.")
		}
		if _, is := img.Members[body.Member]; is {
			return conflict("Member %s is duplicated for image %s", body.Member, img.ID)
		}
		if len(img.Members) >= maxMembers {
			return rest.Errorf(http.StatusRequestEntityTooLarge, "The limit has been exceeded on the number of allowed image members for this image. "+
				"Attempted: %d, Maximum: %d", len(img.Members)+1, maxMembers)
		}
		if img.Members == nil {
			img.Members = map[string]Member{}
		}
		img.Members[body.Member] = Member{"pending", s.now(), s.now()}
		return nil
	})
	if err != nil {
		return err
	}
	return rest.WriteJSON(w, r, http.StatusOK, img.Members[body.Member].view(img.ID, body.Member))
}

// setMember is the member's own answer: the owner cannot accept for it.
func (s *Service) setMember(w http.ResponseWriter, r *rest.Request) error {
	var body struct {
		Status string `json:"status"`
	}
	if err := rest.Read(w, r, &body); err != nil {
		return err
	}
	if !slices.Contains([]string{"pending", "accepted", "rejected"}, body.Status) {
		return invalid("Member status must be one of pending, accepted, rejected.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, name := r.Param("id"), r.Param("member")
	img, ok := s.visibleLocked(r.ProjectID, id)
	if !ok {
		return noImage(id)
	}
	m, ok := img.Members[name]
	if !ok || img.Owner != r.ProjectID && name != r.ProjectID {
		return notFound("%s not found in the member list of the image %s.", name, id)
	}
	if name != r.ProjectID {
		return denied("You are not authorized to complete modify_member action.")
	}
	m.Status, m.UpdatedAt = body.Status, s.now()
	next := s.images[id].clone()
	next.Members[name] = m
	s.images[id] = next
	return rest.WriteJSON(w, r, http.StatusOK, m.view(id, name))
}

func (s *Service) removeMember(w http.ResponseWriter, r *rest.Request) error {
	name := r.Param("member")
	_, err := s.change(r, "delete_member", func(img *Image) error {
		if img.Visibility != Shared {
			return denied("Only shared images have members.")
		}
		if _, is := img.Members[name]; !is {
			return notFound("%s not found in the member list of the image %s.", name, img.ID)
		}
		delete(img.Members, name)
		return nil
	})
	if err != nil {
		return err
	}
	return rest.NoContent(w, r, http.StatusNoContent)
}

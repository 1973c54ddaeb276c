package compute

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A keypair is a user's public key for new servers. The private half is given out once and not kept.
type keypair struct {
	Name, PublicKey, Fingerprint string
	Seq                          int
	Created                      time.Time
}

func (s *Service) keypairView(c *call, k *keypair) map[string]any {
	m := map[string]any{"name": k.Name, "public_key": k.PublicKey, "fingerprint": k.Fingerprint}
	if c.version >= 2 {
		m["type"] = "ssh"
	}
	return m
}

func (s *Service) foreignUser(c *call) error {
	if u := c.URL.Query().Get("user_id"); u != "" && u != c.UserID && c.version >= 10 {
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-keypairs:index to be performed.")
	}
	return nil
}

func (s *Service) listKeypairs(w http.ResponseWriter, c *call) error {
	if err := s.foreignUser(c); err != nil {
		return err
	}
	var all []*keypair
	for _, k := range s.state.Keypairs[c.UserID] {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *keypair) int { return cmp.Compare(a.Name, b.Name) })
	page, err := rest.Paginate(all, c.URL.Query(), maxPage, func(k *keypair) string { return k.Name })
	if err != nil {
		return err
	}
	views := []any{}
	for _, k := range page.Items {
		views = append(views, map[string]any{"keypair": s.keypairView(c, k)})
	}
	answer := map[string]any{"keypairs": views}
	if page.More {
		next := rest.NextURL(s.link(c, "/os-keypairs"), c.URL.Query(), page.Items[len(page.Items)-1].Name)
		answer["keypairs_links"] = []map[string]string{{"rel": "next", "href": next}}
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, answer)
}

func (s *Service) findKeypair(c *call) (*keypair, error) {
	if err := s.foreignUser(c); err != nil {
		return nil, err
	}
	k := s.state.Keypairs[c.UserID][c.Param("name")]
	if k == nil {
		return nil, rest.Errorf(http.StatusNotFound, "Keypair %s not found for user %s", c.Param("name"), c.UserID)
	}
	return k, nil
}

func (s *Service) showKeypair(w http.ResponseWriter, c *call) error {
	k, err := s.findKeypair(c)
	if err != nil {
		return err
	}
	m := s.keypairView(c, k)
	m["user_id"], m["created_at"], m["deleted"], m["deleted_at"], m["updated_at"], m["id"] = c.UserID, rest.TimeMicro(k.Created), false, nil, nil, k.Seq
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"keypair": m})
}

func (s *Service) deleteKeypair(w http.ResponseWriter, c *call) error {
	k, err := s.findKeypair(c)
	if err != nil {
		return err
	}
	delete(s.state.Keypairs[c.UserID], k.Name)
	status := http.StatusAccepted
	if c.version >= 2 {
		status = http.StatusNoContent
	}
	return rest.NoContent(w, c.Request, status)
}

func (s *Service) createKeypair(w http.ResponseWriter, c *call) error {
	var body struct {
		Keypair *struct {
			Name      string `json:"name"`
			PublicKey string `json:"public_key"`
			Type      string `json:"type"`
			UserID    string `json:"user_id"`
		} `json:"keypair"`
	}
	if err := rest.Read(w, c.Request, &body); err != nil {
		return err
	}
	in := body.Keypair
	switch {
	case in == nil:
		return rest.Errorf(http.StatusBadRequest, "Invalid input for field/attribute body. 'keypair' is a required property")
	case !regexp.MustCompile(`^[a-zA-Z0-9 ._@-]{1,255}$`).MatchString(in.Name):
		return rest.Errorf(http.StatusBadRequest, "Keypair data is invalid: Keypair name contains unsafe characters")
	case in.Type != "" && in.Type != "ssh":
		return invalidField("type", in.Type, "'"+in.Type+"' is not one of ['ssh']")
	case in.UserID != "" && in.UserID != c.UserID:
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-keypairs:create to be performed.")
	case s.state.Keypairs[c.UserID][in.Name] != nil:
		return rest.Errorf(http.StatusConflict, "Key pair '%s' already exists.", in.Name)
	case len(s.state.Keypairs[c.UserID]) >= s.quotas()["key_pairs"]:
		return rest.Errorf(http.StatusForbidden, "Quota exceeded, too many key pairs.")
	}
	private, public, err := keyMaterial(in.Name, in.PublicKey)
	if err != nil {
		return err
	}
	k := &keypair{Name: in.Name, PublicKey: string(public.line), Fingerprint: public.fingerprint, Seq: s.nextSeq(), Created: s.c.Now()}
	if s.state.Keypairs[c.UserID] == nil {
		s.state.Keypairs[c.UserID] = map[string]*keypair{}
	}
	s.state.Keypairs[c.UserID][k.Name] = k
	m := s.keypairView(c, k)
	m["user_id"] = c.UserID
	if private != "" {
		m["private_key"] = private
	}
	status := http.StatusOK
	if c.version >= 2 {
		status = http.StatusCreated
	}
	return rest.WriteJSON(w, c.Request, status, map[string]any{"keypair": m})
}

type publicKey struct{ line, fingerprint string }

// keyMaterial reads the client's public key, or makes a pair.
func keyMaterial(name, given string) (private string, public publicKey, err error) {
	if given != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(given))
		if err != nil {
			return "", public, rest.Errorf(http.StatusBadRequest, "Keypair data is invalid: failed to generate fingerprint")
		}
		return "", publicKey{strings.TrimSpace(given), ssh.FingerprintLegacyMD5(key)}, nil
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", public, fmt.Errorf("make key pair: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(priv, name)
	if err != nil {
		return "", public, fmt.Errorf("encode key pair: %w", err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", public, fmt.Errorf("encode key pair: %w", err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " Generated-by-Nova"
	return string(pem.EncodeToMemory(block)), publicKey{line, ssh.FingerprintLegacyMD5(key)}, nil
}

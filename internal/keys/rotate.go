package keys

import (
	"context"
	"fmt"
	"time"
)

// keep is how long what was made with a key may still be presented, from the moment another key takes over. An id_token lives
// minutes, and clocks differ; a sealed token lives up to a day and may be validated for two more (Keystone's allow_expired). A
// stored secret is checked with its pepper for ever: 0.
func keep(use Use) time.Duration {
	switch use {
	case Sign:
		return time.Hour
	case Seal:
		return 73 * time.Hour
	}
	return 0
}

// Rotate makes a new key of a use. Ordinarily it takes over after Config.Lead, and the keys before it are believed until nothing
// made with them can be presented any more. In an emergency it takes over at once and the others are retired at once: what was
// made with them, tokens or secrets, is worthless from then on.
func (r *Ring) Rotate(ctx context.Context, use Use, emergency bool) (Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx); err != nil { // another process may have rotated meanwhile
		return Info{}, err
	}
	now := r.now()
	active, retired := now, now
	if !emergency {
		active = now.Add(r.c.Lead)
		retired = active.Add(keep(use))
	}
	made, err := r.generate(use, now, active)
	if err != nil {
		return Info{}, err
	}
	changed := []Stored{made}
	for _, k := range r.view.Load().all {
		retire := emergency || keep(use) > 0
		if k.Use == use && retire && (k.RetiredAt.IsZero() || k.RetiredAt.After(retired)) {
			old := k.Stored
			old.RetiredAt = retired
			changed = append(changed, old)
		}
	}
	if err := r.c.Save(ctx, changed); err != nil {
		return Info{}, fmt.Errorf("store the new %s key: %w", use, err)
	}
	return infoOf(made), r.reload(ctx)
}

// Info is what may be shown of a key.
type Info struct {
	ID        string
	Use       Use
	Algorithm string
	CreatedAt time.Time
	ActiveAt  time.Time
	RetiredAt time.Time // zero: not retired
}

func infoOf(s Stored) Info {
	return Info{s.ID, s.Use, s.Algorithm, s.CreatedAt, s.ActiveAt, s.RetiredAt}
}

// Keys lists every key of the database by activation, retired ones too.
func (r *Ring) Keys() []Info {
	all := r.current().all
	out := make([]Info, 0, len(all))
	for _, k := range all {
		out = append(out, infoOf(k.Stored))
	}
	return out
}

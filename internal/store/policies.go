package store

import (
	"context"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// policyBody is what SQL never looks into. Its JSON names are a stored form: they do not follow the Go names.
type policyBody struct {
	Identities []urn.URN        `json:"identities"`
	Resources  []urn.URN        `json:"resources"`
	Allow      []iam.Action     `json:"allow,omitempty"`
	Deny       []iam.Action     `json:"deny,omitempty"`
	Except     []iam.Action     `json:"except,omitempty"`
	Groups     []urn.URN        `json:"groups,omitempty"`
	Condition  *storedCondition `json:"condition,omitempty"`
}

type storedCondition struct {
	Operator   string            `json:"operator"`
	Values     map[string]string `json:"values,omitempty"`
	Conditions []storedCondition `json:"conditions,omitempty"`
}

func storeCondition(c *iam.Condition) *storedCondition {
	if c == nil {
		return nil
	}
	s := &storedCondition{Operator: string(c.Operator), Values: c.Values}
	for i := range c.Conditions {
		s.Conditions = append(s.Conditions, *storeCondition(&c.Conditions[i]))
	}
	return s
}

func (s *storedCondition) condition() *iam.Condition {
	if s == nil {
		return nil
	}
	c := &iam.Condition{Operator: iam.Operator(s.Operator), Values: s.Values}
	for i := range s.Conditions {
		c.Conditions = append(c.Conditions, *s.Conditions[i].condition())
	}
	return c
}

func encodePolicy(p *iam.Policy) (string, error) {
	return encode(policyBody{p.Identities, p.Resources, p.Permissions.Allow, p.Permissions.Deny, p.Permissions.Except,
		p.PermissionsGroups, storeCondition(p.Condition)})
}

const policyColumns = `p.id, p.owner, p.name, p.description, p.read_only, p.body, p.expires, p.created, p.updated`

func scanPolicy(row scanner, p *iam.Policy) error {
	var owner, text string
	var expires, created, updated int64
	if err := row.Scan(&p.ID, &owner, &p.Name, &p.Description, &p.ReadOnly, &text, &expires, &created, &updated); err != nil {
		return err
	}
	p.Owner, p.ExpiredAt = fromOwnerKey(owner), fromMicros(expires)
	p.CreatedAt, p.UpdatedAt = fromMicros(created), fromMicros(updated)
	var body policyBody
	if err := decode(text, &body); err != nil {
		return err
	}
	p.Identities, p.Resources, p.PermissionsGroups = body.Identities, body.Resources, body.Groups
	p.Permissions = iam.Permissions{Allow: body.Allow, Deny: body.Deny, Except: body.Except}
	p.Condition = body.Condition.condition()
	return nil
}

// Policy reads one policy.
func (t *Tx) Policy(ctx context.Context, id string) (iam.Policy, error) {
	return one(ctx, t, scanPolicy, `SELECT `+policyColumns+` FROM policy p WHERE p.id = $1`, id)
}

// Policies reads up to limit policies of an account after an id.
func (t *Tx) Policies(ctx context.Context, owner urn.Account, after string, limit int) ([]iam.Policy, error) {
	return many(ctx, t, scanPolicy, `SELECT `+policyColumns+` FROM policy p WHERE p.owner = $1 AND p.id > $2 ORDER BY p.id LIMIT $3`,
		OwnerKey(owner), after, limit)
}

// PoliciesOf reads the policies of an account that name an identity, by id. CROSS JOIN has SQLite begin with the identity: it would go
// through all policies of the account, whose index has the right order.
func (t *Tx) PoliciesOf(ctx context.Context, owner urn.Account, identity urn.URN) ([]iam.Policy, error) {
	return many(ctx, t, scanPolicy, `SELECT DISTINCT `+policyColumns+` FROM policy_identity i CROSS JOIN policy p
		WHERE p.id = i.policy_id AND i.identity = $1 AND p.owner = $2 ORDER BY p.id`, string(identity), OwnerKey(owner))
}

// CountPolicies counts an account's policies.
func (t *Tx) CountPolicies(ctx context.Context, owner urn.Account) (int, error) {
	return t.count(ctx, `SELECT count(*) FROM policy WHERE owner = $1`, OwnerKey(owner))
}

// InsertPolicy writes a new policy.
func (t *Tx) InsertPolicy(ctx context.Context, p iam.Policy) error {
	body, err := encodePolicy(&p)
	if err != nil {
		return err
	}
	err = t.exec(ctx, `INSERT INTO policy (id, owner, name, description, read_only, body, expires, created, updated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, p.ID, OwnerKey(p.Owner), p.Name, p.Description, p.ReadOnly, body,
		micros(p.ExpiredAt), micros(p.CreatedAt), micros(p.UpdatedAt))
	if err != nil {
		return err
	}
	return t.insertIdentities(ctx, &p)
}

// UpdatePolicy writes what can change of a policy.
func (t *Tx) UpdatePolicy(ctx context.Context, p iam.Policy) error {
	body, err := encodePolicy(&p)
	if err != nil {
		return err
	}
	err = t.execOne(ctx, `UPDATE policy SET name = $1, description = $2, body = $3, expires = $4, updated = $5 WHERE id = $6`,
		p.Name, p.Description, body, micros(p.ExpiredAt), micros(p.UpdatedAt), p.ID)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, `DELETE FROM policy_identity WHERE policy_id = $1`, p.ID); err != nil {
		return err
	}
	return t.insertIdentities(ctx, &p)
}

func (t *Tx) insertIdentities(ctx context.Context, p *iam.Policy) error {
	for i, identity := range p.Identities {
		err := t.exec(ctx, `INSERT INTO policy_identity (policy_id, part, identity) VALUES ($1, $2, $3)`, p.ID, i, string(identity))
		if err != nil {
			return err
		}
	}
	return nil
}

// DeletePolicy removes a policy.
func (t *Tx) DeletePolicy(ctx context.Context, id string) error {
	return t.execOne(ctx, `DELETE FROM policy WHERE id = $1`, id)
}

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// FillPerAccount is how many service accounts Fill gives to each account. The account has one project.
const FillPerAccount = 500

// A Fill describes service accounts that are all alike, for measuring a database that holds many. They are numbered from 0; FillClient and
// FillProject name them. Nothing checks them and no audit record tells of them: this is not a way to make service accounts that somebody uses.
type Fill struct {
	Partition urn.Partition
	Secret    string            // id of a secret that is there: all of them get one with its value
	Policies  []iam.Permissions // each service account gets a policy for each, on its account's project
}

// The ids count in decimal digits, which are hexadecimal digits too, so that one SQL text makes them in both databases.
const fillBase = 1_000_000_000_000_000

// FillClient gives the client id of a service account of a Fill.
func FillClient(p urn.Partition, i int) iam.ClientID {
	return iam.ClientID(fmt.Sprintf("%s%d", fillPrefix(p), fillBase+i))
}

// FillProject gives the project that a service account of a Fill has its rights on.
func FillProject(i int) iam.ProjectID {
	return iam.ProjectID(fmt.Sprintf("%d%d", fillBase, fillBase+i/FillPerAccount))
}

func fillPrefix(p urn.Partition) string { return strings.ToUpper(string(p)) + "." }

// Fill stores the service accounts numbered from up to but not including to; both are multiples of FillPerAccount.
func (t *Tx) Fill(ctx context.Context, f Fill, from, to int) error {
	if from%FillPerAccount != 0 || to%FillPerAccount != 0 {
		return errors.New("fill: not whole accounts")
	}
	owner, client := OwnerKey(urn.Account{Partition: f.Partition, Name: "fill-"}), fillPrefix(f.Partition)
	for _, s := range []struct {
		query string
		args  []any
	}{
		{fillAccounts, []any{from / FillPerAccount, to / FillPerAccount, owner, micros(t.Now)}},
		{fillProjects, []any{from / FillPerAccount, to / FillPerAccount, owner, micros(t.Now)}},
		{fillResources, []any{from / FillPerAccount, to / FillPerAccount, owner, string(urn.Project(f.Partition, ""))}},
		{fillServiceAccounts, []any{from, to, owner, micros(t.Now), client}},
		{fillSecrets, []any{from, to, micros(t.Now), client, f.Secret}},
	} {
		if err := t.exec(ctx, s.query, s.args...); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	for n := range f.Policies {
		if err := t.fillPolicies(ctx, f, n, from, to); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	return nil
}

// fillPolicies stores one policy for each service account. Its body is written once, with marks where the rows differ.
func (t *Tx) fillPolicies(ctx context.Context, f Fill, n, from, to int) error {
	account := urn.Account{Partition: f.Partition, Name: "@account@"}
	p := iam.Policy{Identities: []urn.URN{urn.ServiceAccount(account, "@client@")}, Resources: []urn.URN{urn.Project(f.Partition, "@project@")},
		Permissions: f.Policies[n]}
	body, err := encodePolicy(&p)
	if err != nil {
		return err
	}
	client, name := fillPrefix(f.Partition), fmt.Sprintf("policy-%d-", n)
	id := fmt.Sprintf("00000000-0000-4000-%04d-", 8000+n)
	err = t.exec(ctx, fillPolicy, from, to, OwnerKey(urn.Account{Partition: f.Partition, Name: "fill-"}), micros(t.Now), client, id, name, body)
	if err != nil {
		return err
	}
	return t.exec(ctx, fillIdentity, from, to, client, id, string(p.Identities[0]))
}

const fillNumbers = `WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($2 AS BIGINT)) `

// How SQL writes the ids: of a numbered account's project, of a numbered service account's project, and what is unique of a UUID.
const (
	sqlProject   = `'1000000000000000' || CAST(1000000000000000 + i AS TEXT)`
	sqlProjectOf = `'1000000000000000' || CAST(1000000000000000 + i / 500 AS TEXT)`
	sqlDigits    = `CAST(1000000000000000 + i AS TEXT)`
	sqlNode      = `CAST(100000000000 + i AS TEXT)`
)

const (
	fillAccounts = `INSERT INTO account (owner, description, disabled, created) ` + fillNumbers +
		`SELECT $3 || CAST(i AS TEXT), '', FALSE, CAST($4 AS BIGINT) FROM n`

	fillProjects = `INSERT INTO project (id, owner, name, description, disabled, created) ` + fillNumbers +
		`SELECT ` + sqlProject + `, $3 || CAST(i AS TEXT), 'project', '', FALSE, CAST($4 AS BIGINT) FROM n`

	fillResources = `INSERT INTO resource (id, urn, owner, name, display_name, tags) ` + fillNumbers +
		`SELECT '00000000-0000-4000-9000-' || ` + sqlNode + `, $4 || ` + sqlProject + `, $3 || CAST(i AS TEXT), ` + sqlProject + `, 'project', '{}' FROM n`

	fillServiceAccounts = `INSERT INTO service_account (` + serviceAccountColumns + `) ` + fillNumbers +
		`SELECT $5 || ` + sqlDigits + `, $3 || CAST(i / 500 AS TEXT), 'service account', '', '[]', FALSE, '', 0, CAST($4 AS BIGINT), 0 FROM n`

	fillSecrets = `INSERT INTO secret (` + secretColumns + `) ` + fillNumbers +
		`SELECT ` + sqlDigits + `, $4 || ` + sqlDigits + `, '', s.pepper, s.mac, CAST($3 AS BIGINT), 0, 0, '', '' FROM n, secret s WHERE s.id = $5`

	fillPolicy = `INSERT INTO policy (id, owner, name, description, read_only, body, expires, created, updated) ` + fillNumbers +
		`SELECT $6 || ` + sqlNode + `, $3 || CAST(i / 500 AS TEXT), $7 || CAST(i AS TEXT), '', FALSE, replace(replace(replace($8,
		'@client@', $5 || ` + sqlDigits + `), '@account@', 'fill-' || CAST(i / 500 AS TEXT)), '@project@', ` + sqlProjectOf + `), 0, CAST($4 AS BIGINT), 0 FROM n`

	fillIdentity = `INSERT INTO policy_identity (policy_id, part, identity) ` + fillNumbers +
		`SELECT $4 || ` + sqlNode + `, 0, replace(replace($5, '@client@', $3 || ` + sqlDigits + `), '@account@', 'fill-' || CAST(i / 500 AS TEXT)) FROM n`
)

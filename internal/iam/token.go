package iam

import "time"

// A Token is what a sealed token says: who, on what, since when and until when. It carries no rights; those are computed when it
// is used. It has one binary form, made by AppendBinary and read by ParseToken; package keys seals it.
type Token struct {
	ClientID ClientID
	SecretID string    // the secret it was made with; revoking the secret ends it
	Project  ProjectID // "" for an unscoped token
	Methods  Methods
	AuditID  [16]byte
	IssuedAt time.Time // whole seconds, UTC
	Expires  time.Time // whole seconds, UTC
}

// Methods is the set of ways a token was obtained.
type Methods uint8

// The methods of Identity v3 that we have.
const (
	MethodOpenID Methods = 1 << iota
	MethodToken
	MethodPassword
	MethodApplicationCredential
)

// A Purpose tells kinds of sealed tokens apart: a token sealed for one is nothing to another.
type Purpose string

// The purposes. They are part of the sealed form; never reuse one.
const (
	IdentityToken   Purpose = "identity-token"   // Identity v3, X-Auth-Token
	AccessToken     Purpose = "access-token"     // of the role-adapter; accepted by the federation endpoint only
	ManagementToken Purpose = "management-token" // of /auth/oauth2/token; accepted by the management API only
)

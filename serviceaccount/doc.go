// Package serviceaccount gives a Go program an authenticated OpenStack client that renews itself.
//
// It logs in with a service account, by the OpenID Connect client credentials that OVHcloud's guide describes
// (auth_type v3oidcclientcredentials), which gophercloud itself does not know. The result is an ordinary
// gophercloud.ProviderClient. Passwords, application credentials and tokens work as well, so that one program serves every cloud.
//
//	config, err := serviceaccount.FromCloud("ovhcloud") // or FromEnv()
//	client, err := serviceaccount.New(ctx, config)
//	compute, err := openstack.NewComputeV2(client, config.EndpointOpts())
//
// A Config is read from the variables and files that openstacksdk reads, or filled in by hand. A Login makes tokens from it: it logs in
// once for any number of goroutines, again ahead of expiry (at a moment that differs between processes, so that a fleet started together
// does not log in together), and again when a service has refused a token. The secret is read again at each login from the file it came
// from, so that a rotated secret needs no restart.
//
// A login is up to four requests: discovery and token (the identity provider's), federation and scope (Keystone's). An Error says
// which of them failed and what the server said, works with errors.Is, and never holds a secret.
package serviceaccount

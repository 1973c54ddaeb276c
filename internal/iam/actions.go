package iam

import (
	_ "embed" // the reference
	"fmt"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/urn"
)

// The actions that the management API asks for. All are on the account as a resource, except ActionProjectGet.
const (
	ActionMeGet Action = "account:apiovh:me/get"

	ActionClientGet     Action = "account:apiovh:me/api/oauth2/client/get"
	ActionClientCreate  Action = "account:apiovh:me/api/oauth2/client/create"
	ActionClientEdit    Action = "account:apiovh:me/api/oauth2/client/edit"
	ActionClientDelete  Action = "account:apiovh:me/api/oauth2/client/delete"
	ActionClientDisable Action = "account:apiovh:me/api/oauth2/client/disable"
	ActionClientEnable  Action = "account:apiovh:me/api/oauth2/client/enable"

	ActionSecretGet    Action = "account:apiovh:me/api/oauth2/client/secret/get"
	ActionSecretCreate Action = "account:apiovh:me/api/oauth2/client/secret/create"
	ActionSecretDelete Action = "account:apiovh:me/api/oauth2/client/secret/delete"
	ActionSecretRotate Action = "account:apiovh:me/api/oauth2/client/secret/rotate"

	ActionTokenGet    Action = "account:apiovh:me/api/oauth2/token/get"
	ActionTokenDelete Action = "account:apiovh:me/api/oauth2/token/delete"

	ActionDecisionGet Action = "account:apiovh:me/api/decision/get"

	ActionPolicyGet    Action = "account:apiovh:iam/policy/get"
	ActionPolicyCreate Action = "account:apiovh:iam/policy/create"
	ActionPolicyEdit   Action = "account:apiovh:iam/policy/edit"
	ActionPolicyDelete Action = "account:apiovh:iam/policy/delete"

	ActionPermissionsGroupGet    Action = "account:apiovh:iam/permissionsGroup/get"
	ActionPermissionsGroupCreate Action = "account:apiovh:iam/permissionsGroup/create"
	ActionPermissionsGroupEdit   Action = "account:apiovh:iam/permissionsGroup/edit"
	ActionPermissionsGroupDelete Action = "account:apiovh:iam/permissionsGroup/delete"

	ActionResourceGroupGet    Action = "account:apiovh:iam/resourceGroup/get"
	ActionResourceGroupCreate Action = "account:apiovh:iam/resourceGroup/create"
	ActionResourceGroupEdit   Action = "account:apiovh:iam/resourceGroup/edit"
	ActionResourceGroupDelete Action = "account:apiovh:iam/resourceGroup/delete"

	ActionResourceEdit Action = "account:apiovh:iam/resource/edit"

	ActionProjectGet Action = "publicCloudProject:apiovh:get" // on the project
)

// TagAddAction gives the action for setting a tag on a resource, asked of that resource.
func TagAddAction(resource urn.URN) Action {
	return Action(resource.Type() + ":apiovh:iam/resource/tag/add")
}

// TagRemoveAction gives the action for removing a tag from a resource, asked of that resource.
func TagRemoveAction(resource urn.URN) Action {
	return Action(resource.Type() + ":apiovh:iam/resource/tag/remove")
}

// A Category says what sort of action an action is.
type Category string

// The categories.
const (
	Create  Category = "CREATE"
	Read    Category = "READ"
	Edit    Category = "EDIT"
	Operate Category = "OPERATE"
	Delete  Category = "DELETE"
)

// A ReferenceAction describes an action that this server knows.
type ReferenceAction struct {
	Action       Action
	Description  string
	ResourceType string
	Categories   []Category
}

//go:embed actions.txt
var actionsFile string

// references is the reference of actions. It never changes.
var references = must(parseReferences(actionsFile))

// parseReferences reads the form that actions.txt describes at its top.
func parseReferences(text string) ([]ReferenceAction, error) {
	var list []ReferenceAction
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		typ, _, ok := strings.Cut(f[0], ":")
		if len(f) != 3 || !ok || !slices.Contains([]Category{Create, Read, Edit, Operate, Delete}, Category(f[1])) {
			return nil, fmt.Errorf("actions: bad line %q", line)
		}
		list = append(list, ReferenceAction{Action: Action(f[0]), Description: f[2], ResourceType: typ, Categories: []Category{Category(f[1])}})
	}
	return list, nil
}

// ReferenceActions lists every action that this server knows, by resource type and then as documented.
func ReferenceActions() []ReferenceAction {
	list := slices.Clone(references)
	for i := range list {
		list[i].Categories = slices.Clone(list[i].Categories)
	}
	return list
}

// ResourceTypes lists the types of resource that this server knows, in alphabetical order.
func ResourceTypes() []string { return []string{urn.TypeAccount, urn.TypeProject} }

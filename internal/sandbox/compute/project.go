package compute

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// zone is the one availability zone of a region.
const zone = "nova"

func (s *Service) projectRoutes(on adder) {
	on("GET /flavors", s.listFlavors(false))
	on("GET /flavors/detail", s.listFlavors(true))
	on("GET /flavors/{id}", s.showFlavor)
	on("GET /flavors/{id}/os-extra_specs", s.extraSpecs)
	on("GET /flavors/{id}/os-extra_specs/{key}", s.extraSpec)
	on("GET /os-keypairs", s.listKeypairs)
	on("POST /os-keypairs", s.createKeypair)
	on("GET /os-keypairs/{name}", s.showKeypair)
	on("DELETE /os-keypairs/{name}", s.deleteKeypair)
	on("GET /os-server-groups", s.listGroups)
	on("POST /os-server-groups", s.createGroup)
	on("GET /os-server-groups/{id}", s.showGroup)
	on("DELETE /os-server-groups/{id}", s.deleteGroup)
	on("GET /limits", s.limits)
	on("GET /os-quota-sets/{project}", s.quotaSet)
	on("GET /os-quota-sets/{project}/detail", s.quotaDetail)
	on("GET /os-quota-sets/{project}/defaults", s.quotaDefaults)
	on("GET /os-availability-zone", s.zones)
	on("GET /os-simple-tenant-usage/{project}", s.showUsage)
	on("GET /extensions", s.extensions)
	on("GET /extensions/{alias}", s.extension)
}

// DefaultQuotas is how much a project may have: Nova's names, cores, MiB of memory and numbers of things.
func DefaultQuotas() map[string]int {
	return map[string]int{"instances": 20, "cores": 40, "ram": 409600, "key_pairs": 100, "metadata_items": 128, "server_groups": 10,
		"server_group_members": 10, "injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255,
		"fixed_ips": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1}
}

func (s *Service) quotas() map[string]int {
	q := DefaultQuotas()
	maps.Copy(q, s.c.Quotas)
	return q
}

// used gives what a project's servers take.
func (s *Service) used(project string) map[string]int {
	u := map[string]int{}
	for _, v := range s.serversOf(project) {
		u["instances"]++
		u["cores"] += v.Flavor.VCPUs
		u["ram"] += v.Flavor.RAM
	}
	for _, g := range s.state.Groups {
		if g.ProjectID == project {
			u["server_groups"]++
		}
	}
	return u
}

// allowed gives how many servers of a flavor the project may still have, between least and most; fewer than least is 403.
func (s *Service) allowed(project string, f flavor, least, most int) (int, error) {
	for n := min(most, max(s.quotas()["instances"], least)); n > least; n-- {
		if s.roomFor(project, need(f, n)) == nil {
			return n, nil
		}
	}
	return least, s.roomFor(project, need(f, least))
}

func need(f flavor, n int) map[string]int {
	return map[string]int{"instances": n, "cores": n * f.VCPUs, "ram": n * f.RAM}
}

// roomFor refuses with 403 what does not fit into the project's quota.
func (s *Service) roomFor(project string, need map[string]int) error {
	used, quotas := s.used(project), s.quotas()
	for _, name := range []string{"instances", "cores", "ram", "server_groups"} {
		if need[name] > 0 && quotas[name] >= 0 && used[name]+need[name] > quotas[name] {
			return rest.Errorf(http.StatusForbidden, "Quota exceeded for %s: Requested %d, but already used %d of %d %s",
				name, need[name], used[name], quotas[name], name)
		}
	}
	return nil
}

func (s *Service) limits(w http.ResponseWriter, c *call) error {
	if t := c.URL.Query().Get("tenant_id"); t != "" && t != c.ProjectID {
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:limits:other_project to be performed.")
	}
	q, u := s.quotas(), s.used(c.ProjectID)
	absolute := map[string]int{
		"maxTotalInstances": q["instances"], "maxTotalCores": q["cores"], "maxTotalRAMSize": q["ram"], "maxServerMeta": q["metadata_items"],
		"maxTotalKeypairs": q["key_pairs"], "maxServerGroups": q["server_groups"], "maxServerGroupMembers": q["server_group_members"],
		"totalInstancesUsed": u["instances"], "totalCoresUsed": u["cores"], "totalRAMUsed": u["ram"], "totalServerGroupsUsed": u["server_groups"],
	}
	if c.version <= 38 {
		absolute["maxImageMeta"] = q["metadata_items"]
	}
	if c.version <= 56 {
		absolute["maxPersonality"], absolute["maxPersonalitySize"] = q["injected_files"], q["injected_file_content_bytes"]
	}
	if c.version <= 35 {
		for kind, names := range map[string][2]string{"floatingip": {"totalFloatingIpsUsed", "maxTotalFloatingIps"},
			"security_group": {"totalSecurityGroupsUsed", "maxSecurityGroups"}, "security_group_rule": {"", "maxSecurityGroupRules"}} {
			used, limit := s.c.Network.Counts(c.ProjectID, kind)
			absolute[names[1]] = limit
			if names[0] != "" {
				absolute[names[0]] = used
			}
		}
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": absolute}})
}

// shownQuotas gives the quotas that exist in a microversion.
func (s *Service) shownQuotas(version int) map[string]int {
	q := s.quotas()
	if version >= 36 {
		for _, name := range []string{"fixed_ips", "floating_ips", "security_groups", "security_group_rules"} {
			delete(q, name)
		}
	}
	if version >= 57 {
		for _, name := range []string{"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"} {
			delete(q, name)
		}
	}
	return q
}

func otherProject(c *call) error {
	if c.Param("project") != c.ProjectID {
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
	}
	return nil
}

func (s *Service) quotaSet(w http.ResponseWriter, c *call) error {
	if err := otherProject(c); err != nil {
		return err
	}
	return s.quotaDefaults(w, c)
}

func (s *Service) quotaDefaults(w http.ResponseWriter, c *call) error {
	set := map[string]any{"id": c.Param("project")}
	for name, n := range s.shownQuotas(c.version) {
		set[name] = n
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"quota_set": set})
}

func (s *Service) quotaDetail(w http.ResponseWriter, c *call) error {
	if err := otherProject(c); err != nil {
		return err
	}
	used := s.used(c.ProjectID)
	used["key_pairs"] = len(s.state.Keypairs[c.UserID])
	set := map[string]any{"id": c.Param("project")}
	for name, n := range s.shownQuotas(c.version) {
		set[name] = map[string]int{"limit": n, "in_use": used[name], "reserved": 0}
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"quota_set": set})
}

func (s *Service) zones(w http.ResponseWriter, c *call) error {
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"availabilityZoneInfo": []any{
		map[string]any{"zoneName": zone, "zoneState": map[string]bool{"available": true}, "hosts": nil}}})
}

// A usage is what one server took while it was there.
type usage struct {
	ID, Name, Flavor string
	VCPUs, RAM, Disk int
	Start, End       time.Time // End zero: it is still there
	State            string
}

func usageOf(v *server, end time.Time) usage {
	u := usage{ID: v.ID, Name: v.Name, Flavor: v.Flavor.Name, VCPUs: v.Flavor.VCPUs, RAM: v.Flavor.RAM, Disk: v.Flavor.Disk, Start: v.Created, End: end,
		State: string(v.State)}
	if !end.IsZero() {
		u.State = "terminated"
	}
	return u
}

// hours gives how long a usage lies between two times.
func (u usage) hours(from, to time.Time) float64 {
	end := u.End
	if end.IsZero() || end.After(to) {
		end = to
	}
	if u.Start.After(from) {
		from = u.Start
	}
	return max(end.Sub(from).Hours(), 0)
}

func (s *Service) showUsage(w http.ResponseWriter, c *call) error {
	if c.Param("project") != c.ProjectID {
		return rest.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-simple-tenant-usage:show to be performed.")
	}
	from, to, err := s.period(c)
	if err != nil {
		return err
	}
	all := slices.Clone(s.state.Gone[c.ProjectID])
	for _, v := range s.serversOf(c.ProjectID) {
		all = append(all, usageOf(v, time.Time{}))
	}
	sums, views := map[string]float64{}, []map[string]any{}
	for _, u := range all {
		h := u.hours(from, to)
		if h == 0 {
			continue
		}
		sums["hours"] += h
		sums["cpu"] += h * float64(u.VCPUs)
		sums["ram"] += h * float64(u.RAM)
		sums["disk"] += h * float64(u.Disk)
		views = append(views, usageView(c.ProjectID, u, h, s.c.Now()))
	}
	answer := map[string]any{}
	if len(views) > 0 {
		answer = map[string]any{"tenant_id": c.ProjectID, "start": rest.TimeMicro(from), "stop": rest.TimeMicro(to), "total_hours": sums["hours"],
			"total_vcpus_usage": sums["cpu"], "total_memory_mb_usage": sums["ram"], "total_local_gb_usage": sums["disk"], "server_usages": views}
	}
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"tenant_usage": answer})
}

// period reads start and end of the query; the default is the last four weeks, as in Nova's clients.
func (s *Service) period(c *call) (from, to time.Time, err error) {
	to = s.c.Now()
	from = to.Add(-28 * 24 * time.Hour)
	for name, t := range map[string]*time.Time{"start": &from, "end": &to} {
		if text := c.URL.Query().Get(name); text != "" {
			if *t, err = parseTime(text); err != nil {
				return from, to, rest.Errorf(http.StatusBadRequest, "Datetime is in invalid format")
			}
		}
	}
	if from.After(to) {
		return from, to, rest.Errorf(http.StatusBadRequest, "Invalid start time. The start time cannot occur after the end time.")
	}
	return from, to, nil
}

func usageView(project string, u usage, hours float64, now time.Time) map[string]any {
	m := map[string]any{"instance_id": u.ID, "name": u.Name, "flavor": u.Flavor, "tenant_id": project, "vcpus": u.VCPUs, "memory_mb": u.RAM, "local_gb": u.Disk,
		"hours": hours, "state": u.State, "started_at": rest.TimeMicro(u.Start), "ended_at": nil, "uptime": int(now.Sub(u.Start).Seconds())}
	if !u.End.IsZero() {
		m["ended_at"], m["uptime"] = rest.TimeMicro(u.End), int(u.End.Sub(u.Start).Seconds())
	}
	return m
}

func extensionView(alias, name string) map[string]any {
	return map[string]any{"alias": alias, "name": name, "description": name, "updated": "2014-12-03T00:00:00Z", "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
		"links": []any{}}
}

func extensionViews() []map[string]any {
	var out []map[string]any
	for _, e := range [][2]string{{"os-availability-zone", "AvailabilityZone"}, {"os-block-device-mapping-v2-boot", "BlockDeviceMappingV2Boot"},
		{"os-attach-interfaces", "AttachInterfaces"}, {"os-config-drive", "ConfigDrive"}, {"os-console-output", "ConsoleOutput"}, {"os-consoles", "Consoles"},
		{"os-create-backup", "CreateBackup"}, {"OS-DCF", "DiskConfig"}, {"OS-EXT-AZ", "ExtendedAvailabilityZone"}, {"OS-EXT-STS", "ExtendedStatus"},
		{"os-extended-volumes", "ExtendedVolumes"}, {"os-flavor-extra-specs", "FlavorExtraSpecs"}, {"os-instance-actions", "InstanceActions"},
		{"os-keypairs", "Keypairs"}, {"os-lock-server", "LockServer"}, {"os-pause-server", "PauseServer"}, {"os-quota-sets", "Quotas"}, {"os-rescue", "Rescue"},
		{"os-security-groups", "SecurityGroups"}, {"os-server-groups", "ServerGroups"}, {"os-server-start-stop", "ServerStartStop"}, {"os-shelve", "Shelve"},
		{"os-simple-tenant-usage", "SimpleTenantUsage"}, {"os-suspend-server", "SuspendServer"}, {"os-user-data", "UserData"}, {"os-volumes", "Volumes"}} {
		out = append(out, extensionView(e[0], e[1]))
	}
	return out
}

func (s *Service) extensions(w http.ResponseWriter, c *call) error {
	return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"extensions": extensionViews()})
}

func (s *Service) extension(w http.ResponseWriter, c *call) error {
	for _, e := range extensionViews() {
		if e["alias"] == c.Param("alias") {
			return rest.WriteJSON(w, c.Request, http.StatusOK, map[string]any{"extension": e})
		}
	}
	return rest.Errorf(http.StatusNotFound, "The resource could not be found.")
}

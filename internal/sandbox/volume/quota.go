package volume

import (
	"net/http"
	"strconv"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// usedLocked counts a project's volumes, the GiB of its volumes and snapshots, and its snapshots.
func (s *Service) usedLocked(project string) (volumes, gigabytes, snapshots int) {
	for _, v := range s.state.Volumes {
		if v.Project == project {
			volumes, gigabytes = volumes+1, gigabytes+v.Size
		}
	}
	for _, x := range s.state.Snapshots {
		if x.Project == project {
			snapshots, gigabytes = snapshots+1, gigabytes+x.Size
		}
	}
	return volumes, gigabytes, snapshots
}

func (s *Service) usedBackups(project string) (n, gigabytes int) {
	for _, b := range s.state.Backups {
		if b.Project == project {
			n, gigabytes = n+1, gigabytes+b.Size
		}
	}
	return n, gigabytes
}

// roomLocked checks that a project may have so many more volumes and GiB.
func (s *Service) roomLocked(project string, volumes, gigabytes int) error {
	n, used, _ := s.usedLocked(project)
	if gigabytes > s.c.Quota.Gigabytes-used {
		return overLimit("VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested %dG, quota is %dG "+
			"and %dG has been consumed.", gigabytes, s.c.Quota.Gigabytes, used)
	}
	if n+volumes > s.c.Quota.Volumes {
		return overLimit("VolumeLimitExceeded: Maximum number of volumes allowed (%d) exceeded for quota 'volumes'.", s.c.Quota.Volumes)
	}
	return nil
}

func (s *Service) snapshotRoomLocked(project string, gigabytes int) error {
	if _, _, n := s.usedLocked(project); n >= s.c.Quota.Snapshots {
		return overLimit("SnapshotLimitExceeded: Maximum number of snapshots allowed (%d) exceeded", s.c.Quota.Snapshots)
	}
	return s.roomLocked(project, 0, gigabytes)
}

func (s *Service) backupRoomLocked(project string, gigabytes int) error {
	n, used := s.usedBackups(project)
	if n >= s.c.Quota.Backups {
		return overLimit("BackupLimitExceeded: Maximum number of backups allowed (%d) exceeded", s.c.Quota.Backups)
	}
	if gigabytes > s.c.Quota.BackupGigabytes-used {
		return overLimit("VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested %dG, quota is %dG "+
			"and %dG has been consumed.", gigabytes, s.c.Quota.BackupGigabytes, used)
	}
	return nil
}

func (s *Service) limits(w http.ResponseWriter, r *rest.Request) error {
	volumes, gigabytes, snapshots := s.usedLocked(r.ProjectID)
	backups, backupGigabytes := s.usedBackups(r.ProjectID)
	q := s.c.Quota
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": map[string]int{
		"maxTotalVolumes": q.Volumes, "maxTotalVolumeGigabytes": q.Gigabytes, "maxTotalSnapshots": q.Snapshots, "maxTotalBackups": q.Backups,
		"maxTotalBackupGigabytes": q.BackupGigabytes, "totalVolumesUsed": volumes, "totalGigabytesUsed": gigabytes, "totalSnapshotsUsed": snapshots,
		"totalBackupsUsed": backups, "totalBackupGigabytesUsed": backupGigabytes,
	}}})
}

// quotaSet shows the project's own quota; another's is the administrator's to see.
func (s *Service) quotaSet(w http.ResponseWriter, r *rest.Request) error {
	project := r.Param("id")
	if project != r.ProjectID {
		return adminOnly(w, r)
	}
	volumes, gigabytes, snapshots := s.usedLocked(project)
	backups, backupGigabytes := s.usedBackups(project)
	q := s.c.Quota
	usage, _ := strconv.ParseBool(r.URL.Query().Get("usage"))
	set := map[string]any{"id": project}
	put := func(name string, limit, used int) {
		set[name] = limit
		if usage {
			set[name] = map[string]int{"limit": limit, "in_use": used, "reserved": 0, "allocated": 0}
		}
	}
	put("volumes", q.Volumes, volumes)
	put("gigabytes", q.Gigabytes, gigabytes)
	put("snapshots", q.Snapshots, snapshots)
	put("backups", q.Backups, backups)
	put("backup_gigabytes", q.BackupGigabytes, backupGigabytes)
	put("per_volume_gigabytes", -1, 0)
	put("groups", 10, 0)
	for _, t := range s.types() {
		n, size, snaps := s.usedOfType(project, t.Name)
		put("volumes_"+t.Name, -1, n)
		put("gigabytes_"+t.Name, -1, size)
		put("snapshots_"+t.Name, -1, snaps)
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"quota_set": set})
}

func (s *Service) usedOfType(project, name string) (volumes, gigabytes, snapshots int) {
	for _, v := range s.state.Volumes {
		if v.Project == project && v.Type == name {
			volumes, gigabytes = volumes+1, gigabytes+v.Size
		}
	}
	for _, x := range s.state.Snapshots {
		if x.Project == project && x.Type == name {
			snapshots, gigabytes = snapshots+1, gigabytes+x.Size
		}
	}
	return volumes, gigabytes, snapshots
}

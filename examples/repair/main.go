// Command repair snapshots a server and its volumes and then reboots it. It takes the rights backupOperator and computeOperator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/stackgate/stackgate/serviceaccount"
)

func main() {
	name := flag.String("server", "", "`id` of the server to repair")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	c, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.repair(ctx, *name); err != nil {
		log.Fatal(err)
	}
}

type cloud struct{ compute, volume, image *gophercloud.ServiceClient }

func connect(ctx context.Context) (c cloud, err error) {
	config, err := serviceaccount.FromEnv() // the guide's variables, or clouds.yaml with OS_CLOUD
	if err != nil {
		return c, err
	}
	client, err := serviceaccount.New(ctx, config)
	if err != nil {
		return c, err
	}
	if c.compute, err = openstack.NewComputeV2(client, config.EndpointOpts()); err != nil {
		return c, err
	}
	if c.volume, err = openstack.NewBlockStorageV3(client, config.EndpointOpts()); err != nil {
		return c, err
	}
	c.image, err = openstack.NewImageV2(client, config.EndpointOpts())
	return c, err
}

// repair reboots only what has been saved.
func (c cloud) repair(ctx context.Context, id string) error {
	s, err := servers.Get(ctx, c.compute, id).Extract()
	if err != nil {
		return err
	}
	label := "before-repair-" + time.Now().UTC().Format("20060102T150405Z")
	if s.Status == "ERROR" {
		fmt.Println("Nova makes no image of a server in ERROR; only its volumes are saved")
	} else if err := c.saveServer(ctx, s, label); err != nil {
		return fmt.Errorf("save the server: %w", err)
	}
	for _, v := range s.AttachedVolumes {
		if err := c.saveVolume(ctx, v.ID, label); err != nil {
			return fmt.Errorf("save volume %s: %w", v.ID, err)
		}
	}
	fmt.Println("reboot", s.Name)
	if err := servers.Reboot(ctx, c.compute, id, servers.RebootOpts{Type: servers.HardReboot}).ExtractErr(); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	return servers.WaitForStatus(ctx, c.compute, id, "ACTIVE")
}

func (c cloud) saveServer(ctx context.Context, s *servers.Server, label string) error {
	id, err := servers.CreateImage(ctx, c.compute, s.ID, servers.CreateImageOpts{Name: s.Name + "-" + label}).ExtractImageID()
	if err != nil {
		return err
	}
	fmt.Println("image", id)
	return gophercloud.WaitFor(ctx, func(ctx context.Context) (bool, error) {
		image, err := images.Get(ctx, c.image, id).Extract()
		if err != nil || image.Status == images.ImageStatusKilled {
			return false, errors.Join(err, errors.New("there is no image"))
		}
		s, err := servers.Get(ctx, c.compute, s.ID).Extract()
		return err == nil && image.Status == images.ImageStatusActive && s.TaskState == "", err // it does one thing at a time
	})
}

func (c cloud) saveVolume(ctx context.Context, id, label string) error {
	made, err := snapshots.Create(ctx, c.volume, snapshots.CreateOpts{VolumeID: id, Name: label, Force: true}).Extract()
	if err != nil {
		return err
	}
	fmt.Println("snapshot", made.ID)
	return snapshots.WaitForStatus(ctx, c.volume, made.ID, "available")
}

// Command scale gives a group of servers as many members as its load asks for. The right computeOperator is enough.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/stackgate/stackgate/serviceaccount"
)

func main() {
	group := flag.String("group", "", "`name` of the group: its members have it as their metadata \"group\"")
	load := flag.Float64("load", 0, "mean load of the members, as monitoring has it, 1 being all that one can do")
	target := flag.Float64("target", 0.6, "the mean load to aim at")
	least := flag.Int("min", 1, "members at least")
	most := flag.Int("max", 4, "members at most")
	flag.Parse()
	if *group == "" || *target <= 0 || *least < 1 || *most < *least {
		log.Fatal("say -group NAME, a -target above 0, and 1 <= -min <= -max")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	g, err := find(ctx, *group)
	if err != nil {
		log.Fatal(err)
	}
	wanted := min(max(int(math.Ceil(float64(len(g.members))**load / *target)), *least), *most)
	fmt.Printf("group %s has %d members with load %.2f and is to have %d\n", g.name, len(g.members), *load, wanted)
	if err := g.resize(ctx, wanted); err != nil {
		log.Fatal(err)
	}
}

// A group is the servers of a name, the oldest first.
type group struct {
	compute *gophercloud.ServiceClient
	name    string
	members []servers.Server
}

func find(ctx context.Context, name string) (*group, error) {
	config, err := serviceaccount.FromEnv() // the guide's variables, or clouds.yaml with OS_CLOUD
	if err != nil {
		return nil, err
	}
	client, err := serviceaccount.New(ctx, config)
	if err != nil {
		return nil, err
	}
	compute, err := openstack.NewComputeV2(client, config.EndpointOpts())
	if err != nil {
		return nil, err
	}
	pages, err := servers.List(compute, nil).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := servers.ExtractServers(pages)
	if err != nil {
		return nil, err
	}
	members := slices.DeleteFunc(all, func(s servers.Server) bool { return s.Metadata["group"] != name || s.TaskState == "deleting" })
	if len(members) == 0 {
		return nil, errors.New("the group has no member to make others like")
	}
	slices.SortFunc(members, func(a, b servers.Server) int { return a.Created.Compare(b.Created) })
	return &group{compute, name, members}, nil
}

// resize makes servers like the oldest, or deletes the newest.
func (g *group) resize(ctx context.Context, wanted int) error {
	for i := len(g.members); i < wanted; i++ {
		if err := g.add(ctx); err != nil {
			return err
		}
	}
	for _, s := range g.members[min(wanted, len(g.members)):] {
		fmt.Println("delete", s.Name)
		if err := servers.Delete(ctx, g.compute, s.ID).ExtractErr(); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) add(ctx context.Context) error {
	like := g.members[0]
	networks, err := g.networks(ctx, like)
	if err != nil {
		return err
	}
	image, _ := like.Image["id"].(string)
	flavor, _ := like.Flavor["id"].(string)
	made, err := servers.Create(ctx, g.compute, servers.CreateOpts{
		Name: g.name + "-" + strconv.FormatInt(time.Now().UnixNano(), 36), ImageRef: image, FlavorRef: flavor, Networks: networks, Metadata: like.Metadata,
	}, nil).Extract()
	if err != nil {
		return err
	}
	fmt.Println("create", made.ID)
	return servers.WaitForStatus(ctx, g.compute, made.ID, "ACTIVE")
}

// networks are those on which a server has its ports.
func (g *group) networks(ctx context.Context, s servers.Server) (list []servers.Network, err error) {
	pages, err := attachinterfaces.List(g.compute, s.ID).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := attachinterfaces.ExtractInterfaces(pages)
	for _, p := range ports {
		list = append(list, servers.Network{UUID: p.NetID})
	}
	return list, err
}

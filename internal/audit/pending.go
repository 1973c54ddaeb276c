package audit

import (
	"sync"

	"github.com/stackgate/stackgate/internal/urn"
)

// The bounds of what waits in memory to be written. One account cannot take the room of all.
const (
	pendingOfAccount = 512
	pendingAccounts  = 16 // full shares; past it the account with most gives way
)

// Pending holds decisions in memory until they are written. It is bounded: whoever adds never waits, and under pressure the oldest of the
// account that has the most is dropped. The zero value is ready.
type Pending struct {
	mu      sync.Mutex
	lists   map[urn.Account][]Decision // each the oldest first
	total   int
	dropped int64
	writing []Decision // taken, and perhaps not yet written
}

// Add keeps d until it is written.
func (p *Pending) Add(d Decision) {
	d.bound()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(d)
}

func (p *Pending) add(d Decision) {
	if p.lists == nil {
		p.lists = map[urn.Account][]Decision{}
	}
	if len(p.lists[d.Account]) >= pendingOfAccount {
		p.drop(d.Account)
	} else if p.total >= pendingOfAccount*pendingAccounts {
		p.drop(p.longest())
	}
	p.lists[d.Account] = append(p.lists[d.Account], d)
	p.total++
}

// longest gives the account with the most of a few at random: maps are walked from a random place.
func (p *Pending) longest() (account urn.Account) {
	seen, most := 0, 0
	for a, list := range p.lists {
		if len(list) > most {
			account, most = a, len(list)
		}
		if seen++; seen == pendingAccounts {
			break
		}
	}
	return account
}

// drop forgets the oldest of an account.
func (p *Pending) drop(account urn.Account) {
	list := p.lists[account]
	list[0] = Decision{}
	if p.lists[account] = list[1:]; len(list) == 1 {
		delete(p.lists, account)
	}
	p.total--
	p.dropped++
}

// Take gives everything, and says how many were dropped since the last time. What it gave is found until Written or PutBack.
func (p *Pending) Take() (list []Decision, dropped int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lists {
		list = append(list, l...)
	}
	dropped, p.dropped = p.dropped, 0
	p.lists, p.total, p.writing = nil, 0, list
	return list, dropped
}

// Written forgets what Take gave.
func (p *Pending) Written() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing = nil
}

// PutBack returns what Take gave and could not be written, as far as there is room beside what is newer.
func (p *Pending) PutBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	older, newer := p.writing, p.lists
	p.lists, p.total, p.writing = nil, 0, nil
	for _, d := range older {
		p.add(d)
	}
	for _, l := range newer {
		for _, d := range l {
			p.add(d)
		}
	}
}

// Find gives the decision with this id of either kind, in this account.
func (p *Pending) Find(account urn.Account, id string) (Decision, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range [][]Decision{p.lists[account], p.writing} {
		for _, d := range list {
			if id != "" && d.Account == account && (d.ID == id || d.OtherID == id) {
				return d, true
			}
		}
	}
	return Decision{}, false
}

// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Short names of the roles.
const (
	Service    = "service"
	Collector  = "collector"
	Controller = "controller"
	Issuer     = "issuer"
	Operator   = "operator"
)

// writes are the parts of a namespace that a role writes, by its short name.
var writes = map[string][]string{
	Service:    {"kv/", "lock/", "semaphore/", "barrier/", "election/"},
	Collector:  {"budget/", "signal/"},
	Controller: {"config/", "policy/"},
	Issuer:     {"auth/revoked/"},
	Operator:   {""},
}

// Role is a role of etcd.
type Role struct {
	Name        string       // in etcd: ROOT.NAMESPACE.SHORT
	Short       string       // service, service.orders, collector, …
	Permissions []Permission // ascending by key
}

// Permission is one on a range of keys.
type Permission struct {
	Key   string // first of the range
	End   string // behind the range
	Write bool   // to read is allowed too
}

// Prefix returns the prefix that the range is.
func (p Permission) Prefix() string { return p.Key }

func permission(prefix string, write bool) Permission {
	return Permission{prefix, clientv3.GetPrefixRangeEnd(prefix), write}
}

// kind is etcd's type of the permission.
func (p Permission) kind() clientv3.PermissionType {
	if p.Write {
		return clientv3.PermissionType(clientv3.PermReadWrite)
	}
	return clientv3.PermissionType(clientv3.PermRead)
}

// Namespace is a part of the keyspace that a fleet has to itself.
type Namespace struct{ Root, Name string }

// Prefix returns the prefix of all its keys.
func (n Namespace) Prefix() string { return "/" + n.Root + "/" + n.Name + "/" }

// RoleName returns etcd's name of the role with a short name.
func (n Namespace) RoleName(short string) string { return n.Root + "." + n.Name + "." + short }

// Flags returns the flags of the command line that name this namespace, and the service of
// a role that is a service's own; each with a space before it.
func (n Namespace) Flags(short string) string {
	flags := ""
	if n.Name != "default" {
		flags += " --namespace " + n.Name
	}
	if service, ok := strings.CutPrefix(short, Service+"."); ok {
		flags += " --service " + service
	}
	return flags
}

// Roles returns the roles of a namespace, with one for each service, ascending by name.
func Roles(n Namespace, services ...string) []Role {
	parts := make(map[string][]string, len(writes)+len(services))
	for short, prefixes := range writes {
		parts[short] = prefixes
	}
	for _, s := range services {
		parts[Service+"."+s] = []string{"discovery/" + s + "/"}
	}
	roles := make([]Role, 0, len(parts))
	for short, prefixes := range parts {
		r := Role{Name: n.RoleName(short), Short: short}
		if !slices.Contains(prefixes, "") {
			r.Permissions = append(r.Permissions, permission(n.Prefix(), false))
		}
		for _, part := range prefixes {
			r.Permissions = append(r.Permissions, permission(n.Prefix()+part, true))
		}
		slices.SortFunc(r.Permissions, func(a, b Permission) int { return strings.Compare(a.Key, b.Key) })
		roles = append(roles, r)
	}
	slices.SortFunc(roles, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return roles
}

// Writer returns the short name of the role that writes a key of the namespace: the
// operator's where no other does.
func Writer(n Namespace, key string) string {
	rest, ok := strings.CutPrefix(key, n.Prefix())
	if !ok {
		return Operator
	}
	if service, ok := strings.CutPrefix(rest, "discovery/"); ok {
		if service, _, ok := strings.Cut(service, "/"); ok && service != "" {
			return Service + "." + service
		}
		return Operator
	}
	for short, prefixes := range writes {
		for _, part := range prefixes {
			if part != "" && strings.HasPrefix(rest, part) {
				return short
			}
		}
	}
	return Operator
}

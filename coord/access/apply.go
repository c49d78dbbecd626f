// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Apply makes etcd's roles what these are: it adds what is missing, and takes away what
// they have beyond that. Other roles stay as they are. It returns what it did, in words, or
// with dry what it would do; and with an error what it did before that. The user needs
// etcd's role root, unless authentication is off.
func Apply(ctx context.Context, etcd clientv3.Auth, roles []Role, dry bool) (did []string, err error) {
	for _, r := range roles {
		have, err := etcd.RoleGet(ctx, r.Name)
		switch {
		case errors.Is(err, rpctypes.ErrRoleNotFound):
			did = append(did, "add role "+r.Name)
			if !dry {
				if _, err := etcd.RoleAdd(ctx, r.Name); err != nil {
					return did[:len(did)-1], fmt.Errorf("access: role %s: %w", r.Name, err)
				}
			}
			have = &clientv3.AuthRoleGetResponse{}
		case err != nil:
			return did, fmt.Errorf("access: role %s: %w", r.Name, err)
		}
		more, err := permit(ctx, etcd, r, have.Perm, dry)
		did = append(did, more...)
		if err != nil {
			return did, fmt.Errorf("access: role %s: %w", r.Name, err)
		}
	}
	return did, nil
}

// permit makes the permissions of one role what they should be.
func permit(ctx context.Context, etcd clientv3.Auth, r Role, have []*authpb.Permission, dry bool) (did []string, err error) {
	for _, p := range r.Permissions {
		there := slices.ContainsFunc(have, func(h *authpb.Permission) bool {
			return string(h.Key) == p.Key && string(h.RangeEnd) == p.End && h.PermType == authpb.Permission_Type(p.kind())
		})
		if there {
			continue
		}
		if !dry {
			if _, err := etcd.RoleGrantPermission(ctx, r.Name, p.Key, p.End, p.kind()); err != nil {
				return did, err
			}
		}
		verb := "read"
		if p.Write {
			verb = "read and write"
		}
		did = append(did, fmt.Sprintf("let %s %s %s", r.Name, verb, p.Key))
	}
	for _, h := range have {
		wanted := slices.ContainsFunc(r.Permissions, func(p Permission) bool { return string(h.Key) == p.Key && string(h.RangeEnd) == p.End })
		if wanted {
			continue
		}
		if !dry {
			if _, err := etcd.RoleRevokePermission(ctx, r.Name, string(h.Key), string(h.RangeEnd)); err != nil {
				return did, err
			}
		}
		did = append(did, fmt.Sprintf("take %s from %s", h.Key, r.Name))
	}
	return did, nil
}

// Grant gives a user roles. A user that does not exist is added without a password: it can
// come with a client certificate of that name only. It returns what it did, in words.
func Grant(ctx context.Context, etcd clientv3.Auth, user string, roles []string, dry bool) (did []string, err error) {
	have, err := etcd.UserGet(ctx, user)
	switch {
	case errors.Is(err, rpctypes.ErrUserNotFound):
		did = append(did, "add user "+user+", who comes with a certificate of that name")
		if !dry {
			if _, err := etcd.UserAddWithOptions(ctx, user, "", &clientv3.UserAddOptions{NoPassword: true}); err != nil {
				return nil, fmt.Errorf("access: user %s: %w", user, err)
			}
		}
		have = &clientv3.AuthUserGetResponse{}
	case err != nil:
		return nil, fmt.Errorf("access: user %s: %w", user, err)
	}
	for _, r := range roles {
		if slices.Contains(have.Roles, r) {
			continue
		}
		if !dry {
			if _, err := etcd.UserGrantRole(ctx, user, r); err != nil {
				return did, fmt.Errorf("access: user %s, role %s: %w", user, r, err)
			}
		}
		did = append(did, fmt.Sprintf("give %s the role %s", user, r))
	}
	return did, nil
}

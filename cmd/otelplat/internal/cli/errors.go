// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/ports"
	"github.com/otelplat/platform/cmd/otelplat/internal/recording"
	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/policy"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Exit codes. `otelplat help exit-codes` says the same.
const (
	ExitOK              = 0
	ExitFailed          = 1
	ExitUsage           = 2
	ExitNotFound        = 3
	ExitUnauthenticated = 4
	ExitDenied          = 5
	ExitConflict        = 6
	ExitUnavailable     = 7
	ExitCheck           = 10
	ExitInterrupted     = 130
)

// UsageError is a command line that cannot be understood.
type UsageError struct {
	err     error
	command string
}

func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.err }

// NotFoundError says what is not there, and what to do about it.
type NotFoundError struct{ what, hint string }

func (e *NotFoundError) Error() string { return e.what }

// UnavailableError says who does not answer.
type UnavailableError struct {
	who  string
	err  error
	with string // what names another one
	hint string // instead of that
}

func (e *UnavailableError) Error() string { return e.who + " does not answer" }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.err }

// explain returns the exit code of an error, and what to do about it.
func explain(err error) (code int, hint string) {
	var usage *UsageError
	var busy *ports.BusyError
	var dir *datadir.Error
	var start *supervise.StartError
	var bundle *policy.BundleError
	var conflict *versioned.ConflictError
	var missing *NotFoundError
	var away *UnavailableError
	var name *coord.NameError
	var base *ports.BaseError
	var invalid *event.Error
	var notReady *notReadyError
	var differ *differError
	var swap *kv.ConflictError
	var key *kv.KeyError
	var limit *kv.LimitError
	var large *versioned.LimitError
	var denied *coord.DeniedError
	var command *commandError
	var document *rules.Error
	var route *rules.UnknownRouteError
	var rewrite *rules.RewriteError
	var forced *override.Error
	switch {
	case errors.Is(err, context.Canceled):
		return ExitInterrupted, ""
	case errors.As(err, &usage):
		return ExitUsage, usage.command + " --help"
	case errors.As(err, &name), errors.As(err, &base):
		return ExitUsage, ""
	case errors.As(err, &document):
		return ExitUsage, "all settings, with their defaults: otelplat route get --defaults"
	case errors.As(err, &route):
		return ExitNotFound, "otelplat route ls"
	case errors.As(err, &rewrite):
		return ExitFailed, "change it by hand: otelplat route get SERVICE > FILE, and otelplat route set SERVICE -f FILE"
	case errors.As(err, &forced):
		return ExitUsage, ""
	case errors.As(err, &busy):
		if busy.Free == 0 {
			return ExitFailed, fmt.Sprintf("use other ports: otelplat up --listen-base PORT (takes %d ports from there)", ports.Size)
		}
		return ExitFailed, fmt.Sprintf("use other ports: otelplat up --listen-base %d (takes %d ports from there)", busy.Free, ports.Size)
	case errors.Is(err, datadir.ErrInUse):
		return ExitConflict, "stop it, or use another folder: otelplat up --data-dir DIR"
	case errors.As(err, &dir):
		return ExitFailed, "use another folder: otelplat up --data-dir DIR"
	case errors.As(err, &start):
		hint = "its log is " + start.Log
		if strings.Contains(start.Last, "damaged") {
			hint = "restore etcd's folder from a copy, or remove it to begin anew; the log is " + start.Log
		}
		return ExitFailed, hint
	case errors.Is(err, datadir.ErrNotRunning):
		return ExitUnavailable, "start one with: otelplat up --demo, or name an etcd with --endpoints"
	case isAny(err, rpctypes.ErrAuthFailed, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision):
		return ExitUnauthenticated, "set OTELPLAT_ETCD_USER and OTELPLAT_ETCD_PASSWORD, or OTELPLAT_ETCD_CERT_FILE and _KEY_FILE"
	case errors.As(err, &denied):
		return ExitDenied, denied.Give
	case isAny(err, rpctypes.ErrPermissionDenied):
		return ExitDenied, "etcd's roles do not allow this user that; otelplat etcd roles show tells what they allow"
	case errors.As(err, &away) && away.hint != "":
		return ExitUnavailable, away.hint
	case errors.As(err, &away):
		return ExitUnavailable, "is it running? name another with " + cmp.Or(away.with, "--endpoints or OTELPLAT_ETCD_ENDPOINTS")
	case errors.As(err, &invalid):
		return ExitUsage, ""
	case status.Code(err) == codes.PermissionDenied:
		return ExitDenied, "the collector's claims policy does not let this sender publish as that service"
	case status.Code(err) == codes.Unauthenticated:
		return ExitUnauthenticated, "the collector refuses the token: OTELPLAT_TOKEN_FILE names another"
	case errors.Is(err, event.ErrUncertain):
		return ExitUnavailable, "it may be stored: publish it again with the same --id"
	case errors.As(err, &missing):
		return ExitNotFound, missing.hint
	case errors.Is(err, versioned.ErrNotFound):
		return ExitNotFound, ""
	case errors.Is(err, recording.ErrFormat):
		return ExitUsage, "make one with: otelplat signals record"
	case errors.Is(err, policy.ErrNoEntrypoint):
		return ExitNotFound, "an entrypoint is a package with a rule allow; list them: otelplat policy explain DIR"
	case errors.As(err, &command):
		return command.code, ""
	case errors.Is(err, lock.ErrLocked):
		return ExitConflict, "look who holds it: otelplat lock ls"
	case errors.Is(err, lock.ErrLost):
		return ExitConflict, "another may hold it now"
	case errors.Is(err, election.ErrNoLeader):
		return ExitNotFound, ""
	case errors.As(err, &swap):
		return ExitConflict, "look at what is there: otelplat kv get " + swap.Key + " -o json"
	case errors.Is(err, versioned.ErrUncertain):
		return ExitUnavailable, "look whether it was written: otelplat config history, policy history"
	case errors.As(err, &key), errors.As(err, &limit), errors.As(err, &large):
		return ExitUsage, ""
	case errors.Is(err, kv.ErrNotFound):
		return ExitNotFound, "otelplat kv ls"
	case errors.Is(err, kv.ErrUncertain):
		return ExitUnavailable, "look whether it was written: otelplat kv get"
	case errors.As(err, &bundle), errors.As(err, &notReady), errors.As(err, &differ):
		return ExitCheck, ""
	case errors.As(err, &conflict):
		return ExitConflict, "look at what the other wrote, and try again"
	case status.Code(err) == codes.Unavailable, errors.Is(err, context.DeadlineExceeded):
		return ExitUnavailable, ""
	}
	// Cobra's own errors have no type.
	if text := err.Error(); strings.HasPrefix(text, "unknown command") || strings.HasPrefix(text, "required flag") ||
		strings.Contains(text, " flags in the group [") { // cobra has no types for these
		return ExitUsage, "otelplat --help"
	}
	return ExitFailed, ""
}

// isAny reports whether err is one of etcd's errors, which come back in two
// forms: as the client knows them, and as a gRPC status with the same text.
func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
		if s, ok := status.FromError(err); ok && s.Message() == target.Error() {
			return true
		}
	}
	return false
}

// report prints an error and returns the exit code.
func report(w io.Writer, err error, asJSON bool) int {
	code, hint := explain(err)
	if _, silent := errors.AsType[*commandError](err); silent {
		return code // the command has said what there is to say
	}
	if _, silent := errors.AsType[*differError](err); silent {
		return code // the differences are printed
	}
	if asJSON {
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": err.Error(), "hint": hint}})
		return code
	}
	fmt.Fprintln(w, "error: "+err.Error())
	if hint != "" {
		fmt.Fprintln(w, "hint: "+hint)
	}
	return code
}

// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/otelplat/platform/policy"
)

// Bounds of an AuthZEN request.
const (
	MaxEvaluationBody = 1 << 20 // bytes
	MaxEvaluations    = 1000    // in one request
)

// Paths of the AuthZEN endpoints.
const (
	evaluationPath  = "/access/v1/evaluation"
	evaluationsPath = "/access/v1/evaluations"
	metadataPath    = "/.well-known/authzen-configuration"
)

// AuthZENOption configures [AuthZEN].
type AuthZENOption func(*authzen)

// PublicURL is the URL under which clients reach the decision point, without a path: the
// metadata names it. By default it is taken from the request's Host.
func PublicURL(u string) AuthZENOption {
	return func(a *authzen) { a.public = strings.TrimSuffix(u, "/") }
}

// AuthZEN returns a decision point of the AuthZEN Authorization API 1.0: evaluation,
// evaluations with defaults and all three semantics, and the metadata. Each request is
// asked of the entrypoint. It authenticates nobody: put a [Guard] before it, or serve it
// where only enforcement points come.
//
// Answers that are decisions have status 200, whatever the decision; their context holds
// the decision's id, the rules and reasons, and the obligations. A request that is not
// understood has 400 and says why; one that is too large 413.
func AuthZEN(engine *policy.Engine, entrypoint string, opts ...AuthZENOption) http.Handler {
	a := &authzen{engine: engine, entrypoint: entrypoint}
	for _, o := range opts {
		o(a)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+evaluationPath, a.handle(a.evaluation))
	mux.HandleFunc("POST "+evaluationsPath, a.handle(a.evaluations))
	mux.HandleFunc("GET "+metadataPath, a.metadata)
	return mux
}

type authzen struct {
	engine     *policy.Engine
	entrypoint string
	public     string
}

// evaluation is the answer to one question.
type evaluation struct {
	Decision bool               `json:"decision"`
	Context  *evaluationContext `json:"context,omitempty"`
}

type evaluationContext struct {
	ID          string           `json:"id,omitempty"`
	Rules       []string         `json:"rules,omitempty"`
	Reasons     []string         `json:"reasons,omitempty"`
	Obligations []any            `json:"obligations,omitempty"`
	Error       *evaluationError `json:"error,omitempty"`
}

// evaluationError says that there is no decision to one of several questions.
type evaluationError struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// question is a request, with what is there told from what is empty.
type question struct {
	Subject  json.RawMessage `json:"subject"`
	Action   json.RawMessage `json:"action"`
	Resource json.RawMessage `json:"resource"`
	Context  json.RawMessage `json:"context"`
}

type questions struct {
	question
	Evaluations []question `json:"evaluations"`
	Options     struct {
		Semantic string `json:"evaluations_semantic"`
	} `json:"options"`
}

// requestError is a request that is not understood.
type requestError struct {
	status int
	reason string
}

func (e *requestError) Error() string { return e.reason }

func bad(format string, args ...any) error {
	return &requestError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// handle reads the body, and answers with what fn returns.
func (a *authzen) handle(fn func(*http.Request, []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-ID"); id != "" && len(id) <= 256 {
			w.Header().Set("X-Request-ID", id)
		}
		w.Header().Set("Cache-Control", "no-store")
		answer, err := a.answer(w, r, fn)
		if err != nil {
			status := http.StatusInternalServerError
			var e *requestError
			if errors.As(err, &e) {
				status = e.status
			}
			http.Error(w, err.Error(), status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client is gone; there is nobody to tell
	}
}

func (a *authzen) answer(w http.ResponseWriter, r *http.Request, fn func(*http.Request, []byte) (any, error)) (any, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, bad("Content-Type has to be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxEvaluationBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, &requestError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request has more than %d bytes", MaxEvaluationBody)}
	}
	if err != nil {
		return nil, bad("the request ended early")
	}
	return fn(r, body)
}

func (a *authzen) evaluation(r *http.Request, body []byte) (any, error) {
	var q question
	if err := decode(body, &q); err != nil {
		return nil, bad("the request is no JSON object of the form that is asked for")
	}
	return a.one(r, q)
}

func (a *authzen) one(r *http.Request, q question) (evaluation, error) {
	in, err := q.input()
	if err != nil {
		return evaluation{}, err
	}
	return a.decide(r, in), nil
}

func (a *authzen) evaluations(r *http.Request, body []byte) (any, error) {
	var q questions
	if err := decode(body, &q); err != nil {
		return nil, bad("the request is no JSON object of the form that is asked for")
	}
	var stops func(decision bool) bool
	switch q.Options.Semantic {
	case "", "execute_all":
		stops = func(bool) bool { return false }
	case "deny_on_first_deny":
		stops = func(decision bool) bool { return !decision }
	case "permit_on_first_permit":
		stops = func(decision bool) bool { return decision }
	default:
		return nil, bad("options.evaluations_semantic %.40q is none of execute_all, deny_on_first_deny, permit_on_first_permit", q.Options.Semantic)
	}
	if len(q.Evaluations) == 0 { // then it is a single evaluation
		return a.one(r, q.question)
	}
	if len(q.Evaluations) > MaxEvaluations {
		return nil, bad("there are %d evaluations, more than %d", len(q.Evaluations), MaxEvaluations)
	}
	answers := make([]evaluation, 0, len(q.Evaluations))
	for _, each := range q.Evaluations {
		in, err := each.or(q.question).input()
		answer := evaluation{Context: &evaluationContext{}}
		if err != nil {
			answer.Context.Error = &evaluationError{http.StatusBadRequest, err.Error()}
		} else {
			answer = a.decide(r, in)
		}
		answers = append(answers, answer)
		if stops(answer.Decision) {
			break
		}
	}
	return map[string]any{"evaluations": answers}, nil
}

// or fills in what is not there from the defaults.
func (q question) or(defaults question) question {
	for _, m := range []struct{ to, from *json.RawMessage }{
		{&q.Subject, &defaults.Subject}, {&q.Action, &defaults.Action}, {&q.Resource, &defaults.Resource}, {&q.Context, &defaults.Context},
	} {
		if *m.to == nil {
			*m.to = *m.from
		}
	}
	return q
}

// input reads a question, whose members have to be there and of the right type.
func (q question) input() (in policy.Input, err error) {
	for _, m := range []struct {
		name string
		raw  json.RawMessage
		to   any
	}{{"subject", q.Subject, &in.Subject}, {"action", q.Action, &in.Action}, {"resource", q.Resource, &in.Resource}} {
		if m.raw == nil {
			return in, bad("%s is missing", m.name)
		}
		if err := decode(m.raw, m.to); err != nil {
			return in, bad("%s is no object of the form that is asked for", m.name)
		}
	}
	if q.Context != nil {
		if err := decode(q.Context, &in.Context); err != nil {
			return in, bad("context is no object")
		}
	}
	switch {
	case in.Subject.Type == "":
		err = bad("subject.type is missing")
	case in.Subject.ID == "":
		err = bad("subject.id is missing")
	case in.Action.Name == "":
		err = bad("action.name is missing")
	case in.Resource.Type == "":
		err = bad("resource.type is missing")
	case in.Resource.ID == "":
		err = bad("resource.id is missing")
	}
	return in, err
}

// decode reads one JSON value; numbers stay as they are written.
func decode(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func (a *authzen) decide(r *http.Request, in policy.Input) evaluation {
	d, err := a.engine.Decide(r.Context(), a.entrypoint, in)
	c := &evaluationContext{ID: d.ID.String(), Rules: d.Rules, Reasons: d.Reasons, Obligations: d.Obligations}
	if err != nil {
		// What went wrong is in the decision's event, and not for the caller's eyes.
		c.Error = &evaluationError{http.StatusInternalServerError, "the policy could not be evaluated: " + string(d.Outcome)}
	}
	return evaluation{d.Allow, c}
}

func (a *authzen) metadata(w http.ResponseWriter, r *http.Request) {
	base := a.public
	if base == "" {
		u := url.URL{Scheme: "http", Host: r.Host}
		if r.TLS != nil {
			u.Scheme = "https"
		}
		base = u.String()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client is gone; there is nobody to tell
		"policy_decision_point":       base,
		"access_evaluation_endpoint":  base + evaluationPath,
		"access_evaluations_endpoint": base + evaluationsPath,
	})
}

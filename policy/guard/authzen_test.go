// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/guard"
)

// records is the fixture that AuthZEN's certification asks for, or near to it.
const records = `package authzen

default allow := false

allow if { input.action.name == "read"; input.resource.type == "record" }

allow if { input.action.name == "delete"; input.subject.properties.role == "admin" }

deny contains "locked" if { input.resource.properties.status == "locked"; input.action.name != "read" }

obligations contains "log" if input.context.audit

reasons contains "records are read only" if input.action.name == "write"
`

func pdp(t *testing.T, opts ...guard.AuthZENOption) http.Handler {
	t.Helper()
	e, err := policy.Open(t.Context(), policy.Static("authzen", map[string]string{"a.rego": records}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return guard.AuthZEN(e, "authzen", opts...)
}

func post(h http.Handler, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-ID", "req-1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	alice   = `"subject": {"type": "user", "id": "alice"}`
	bob     = `"subject": {"type": "user", "id": "bob", "properties": {"role": "admin"}}`
	record  = `"resource": {"type": "record", "id": "record-1"}`
	reads   = `"action": {"name": "read"}`
	deletes = `"action": {"name": "delete"}`
)

func TestAnEvaluationIsADecision(t *testing.T) {
	h := pdp(t)
	for body, want := range map[string]struct {
		decision bool
		context  string
	}{
		`{` + alice + `,` + record + `,` + reads + `}`:                                                                 {true, ""},
		`{` + alice + `,` + record + `,` + deletes + `}`:                                                               {false, ""},
		`{` + bob + `,` + record + `,` + deletes + `, "more": {"is": "ignored"}}`:                                      {true, ""},
		`{` + alice + `,` + record + `,` + reads + `, "context": {"audit": true}}`:                                     {true, `"obligations":["log"]`},
		`{` + alice + `,` + record + `, "action": {"name": "write"}}`:                                                  {false, `"reasons":["records are read only"]`},
		`{` + bob + `, "resource": {"type": "record", "id": "1", "properties": {"status": "locked"}},` + deletes + `}`: {false, `"rules":["locked"]`},
	} {
		w := post(h, "/access/v1/evaluation", body)
		var got struct {
			Decision *bool
			Context  struct{ ID string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Decision == nil || *got.Decision != want.decision || len(got.Context.ID) != 32 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
		if !strings.Contains(w.Body.String(), want.context) {
			t.Errorf("%s: %s lacks %s", body, w.Body, want.context)
		}
		if w.Header().Get("X-Request-ID") != "req-1" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("headers: %v", w.Header())
		}
	}
}

func TestARequestThatIsNotUnderstoodSaysWhy(t *testing.T) {
	h := pdp(t)
	for body, says := range map[string]string{
		``:                               "no JSON object",
		`[]`:                             "no JSON object",
		`{} {}`:                          "no JSON object",
		`{` + record + `,` + reads + `}`: "subject is missing",
		`{` + alice + `,` + reads + `}`:  "resource is missing",
		`{` + alice + `,` + record + `}`: "action is missing",
		`{"subject": {"type": "user"},` + record + `,` + reads + `}`:          "subject.id is missing",
		`{"subject": {"id": "x"},` + record + `,` + reads + `}`:               "subject.type is missing",
		`{"subject": "alice",` + record + `,` + reads + `}`:                   "subject is no object",
		`{"subject": {"type": "user", "id": 7},` + record + `,` + reads + `}`: "subject is no object",
		`{` + alice + `, "resource": {"type": "record"},` + reads + `}`:       "resource.id is missing",
		`{` + alice + `,` + record + `, "action": {}}`:                        "action.name is missing",
		`{` + alice + `,` + record + `,` + reads + `, "context": []}`:         "context is no object",
	} {
		w := post(h, "/access/v1/evaluation", body)
		if w.Code != 400 || !strings.Contains(w.Body.String(), says) || w.Header().Get("X-Request-ID") != "req-1" {
			t.Errorf("%s: %d %s, want %q", body, w.Code, w.Body, says)
		}
	}
	if w := post(h, "/access/v1/evaluation", strings.Repeat(" ", guard.MaxEvaluationBody+1)); w.Code != 413 {
		t.Errorf("too large: %d", w.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/access/v1/evaluation", strings.NewReader(`{`+alice+`,`+record+`,`+reads+`}`))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "application/json") {
		t.Errorf("no content type: %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/access/v1/evaluation", nil)); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestEvaluationsMergeDefaultsAndStopAsAsked(t *testing.T) {
	h := pdp(t)
	ask := func(semantic, evaluations string) string {
		t.Helper()
		w := post(h, "/access/v1/evaluations", `{`+alice+`,`+record+`,`+reads+`,"context": {"audit": true}, "options": {"evaluations_semantic": "`+semantic+`"}, "evaluations": `+evaluations+`}`)
		var got struct{ Evaluations []struct{ Decision bool } }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		var out []string
		for _, e := range got.Evaluations {
			out = append(out, fmt.Sprint(e.Decision))
		}
		return strings.Join(out, " ")
	}
	const mixed = `[{}, {` + deletes + `}, {` + bob + `,` + deletes + `}, {"resource": {"type": "file", "id": "1"}}]`
	for semantic, want := range map[string]string{
		"execute_all": "true false true false", "deny_on_first_deny": "true false", "permit_on_first_permit": "true",
	} {
		if got := ask(semantic, mixed); got != want {
			t.Errorf("%s: %s, want %s", semantic, got, want)
		}
	}
	if got := ask("permit_on_first_permit", `[{`+deletes+`}, {}, {}]`); got != "false true" {
		t.Errorf("permit_on_first_permit: %s", got)
	}
	t.Run("one that is not understood is no decision of the others", func(t *testing.T) {
		w := post(h, "/access/v1/evaluations", `{`+alice+`,`+record+`,"evaluations": [{}, {`+reads+`}]}`)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"error":{"status":400,"message":"action is missing"}`) || !strings.Contains(w.Body.String(), `"decision":true`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("none is a single evaluation", func(t *testing.T) {
		for _, none := range []string{"", `, "evaluations": []`} {
			w := post(h, "/access/v1/evaluations", `{`+alice+`,`+record+`,`+reads+none+`}`)
			if w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"decision":true`) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
	t.Run("beyond the bounds", func(t *testing.T) {
		if w := post(h, "/access/v1/evaluations", `{"evaluations": [{}`+strings.Repeat(",{}", guard.MaxEvaluations)+`]}`); w.Code != 400 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := post(h, "/access/v1/evaluations", `{"options": {"evaluations_semantic": "any"}, "evaluations": [{}]}`); w.Code != 400 || !strings.Contains(w.Body.String(), "execute_all") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestTheMetadataSaysWhereToAsk(t *testing.T) {
	for want, h := range map[string]http.Handler{"http://pdp.local": pdp(t), "https://pdp.example": pdp(t, guard.PublicURL("https://pdp.example/"))} {
		r := httptest.NewRequest(http.MethodGet, "http://pdp.local/.well-known/authzen-configuration", nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var m map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != 200 {
			t.Fatal(w.Code, err)
		}
		if m["policy_decision_point"] != want || m["access_evaluation_endpoint"] != want+"/access/v1/evaluation" || m["access_evaluations_endpoint"] != want+"/access/v1/evaluations" {
			t.Errorf("%v", m)
		}
	}
}

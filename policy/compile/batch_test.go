// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/otelplat/platform/policy"
)

// batchInputs is how many inputs all policies of the corpus are asked together, in batches.
const batchInputs = 60_000

// TestABatchNeverAnswersOtherwiseThanEachOfItsRows asks each rule of the corpus that can be
// rewritten for batches, whether it is lowered or not, of batches of generated inputs: each
// row has OPA's answer to its input, or none; and where one input is an error, the batch is.
func TestABatchNeverAnswersOtherwiseThanEachOfItsRows(t *testing.T) {
	policies := append(corpus(t), madeUp(600)...)
	each := batchInputs/len(policies) + 1
	if testing.Short() || race {
		each = each/20 + 1
	}
	var tally batchTally
	tally.refused = map[string]int{}
	for _, p := range policies {
		t.Run(p.name, func(t *testing.T) { tally.compare(t, p, each) })
	}
	t.Logf("%d policies; of %d rules %d asked in batches; %d batches, %d of them with an error; %d answers, %d values, %d undefined, %d rows apart, %d with another spelling of a number",
		len(policies), tally.rules, tally.asked, tally.batches, tally.failed, tally.answers, tally.values, tally.answers-tally.values-tally.apart, tally.apart, tally.spelled)
	for reason, n := range tally.refused {
		t.Logf("%4d refused: %s", n, reason)
	}
	if tally.spelled*10_000 > tally.answers+10_000 {
		t.Errorf("%d answers have a number in another spelling", tally.spelled)
	}
	if tally.asked*2 < tally.rules || tally.failed == 0 || tally.apart == 0 || tally.values < tally.answers/10 {
		t.Error("too few of one kind to tell anything")
	}
}

type batchTally struct {
	rules, asked, batches, failed, answers, values, apart, spelled int
	refused                                                        map[string]int
}

func (b *batchTally) compare(t *testing.T, p policyText, each int) {
	s := p.snapshot(t)
	g := newGenerator(p.compile(t), uint64(len(p.text)))
	for _, path := range paths(p.compile(t).compiler) {
		name := strings.TrimPrefix(path.String(), "data.")
		b.rules++
		asked, err := s.Batch(t.Context(), name)
		if err != nil {
			if strings.Contains(err.Error(), "fault") || strings.Contains(err.Error(), "rewritten") {
				t.Fatalf("%s: %v\n%s", name, err, p.text)
			}
			b.refused[err.Error()[strings.LastIndex(err.Error(), ": ")+2:]]++
			continue
		}
		b.asked++
		for done := 0; done < each; {
			rows := 1 + g.rnd.IntN(20)
			done += rows
			b.batch(t, p, s, name, asked, g, rows)
		}
	}
}

// batch asks one rule of one batch.
func (b *batchTally) batch(t *testing.T, p policyText, s *policy.Snapshot, name string, asked *policy.Batch, g *generator, rows int) {
	t.Helper()
	inputs := make([]ast.Value, rows)
	columns := make([][]ast.Value, len(asked.Columns()))
	for i := range inputs {
		inputs[i] = ast.MustInterfaceToValue(g.document())
		for c, path := range asked.Columns() {
			ref := make(ast.Ref, len(path))
			for k, key := range path {
				ref[k] = ast.StringTerm(key)
			}
			found, err := inputs[i].Find(ref)
			if err != nil {
				found = nil
			}
			columns[c] = append(columns[c], found)
		}
	}
	got, err := asked.Eval(t.Context(), columns, rows)
	b.batches++
	if err != nil {
		b.failed++
	}
	for i, in := range inputs {
		want, defined, failed := s.Eval(t.Context(), name, in)
		if errors.Is(failed, policy.ErrTimeout) { // the machine's
			continue
		}
		switch {
		case failed != nil && err == nil && !got[i].Apart:
			t.Fatalf("%s of %s is %v, and %#v in a batch\n%s", name, in, failed, got[i], p.text)
		case failed != nil || err != nil:
			continue
		}
		b.answers++
		if got[i].Apart {
			b.apart++
			continue
		}
		if defined {
			b.values++
		}
		if defined && got[i].Defined && !reflect.DeepEqual(got[i].Value, want) && ast.MustInterfaceToValue(got[i].Value).Compare(ast.MustInterfaceToValue(want)) == 0 {
			b.spelled++ // 1 and 1.0 of two rules: the set of a batch's answers keeps either (ADR 10)
			continue
		}
		if got[i].Defined != defined || defined && !reflect.DeepEqual(got[i].Value, want) {
			t.Fatalf("%s of %s\n in a batch %#v\n want       %#v %v\n%s", name, in, got[i], want, defined, p.text)
		}
	}
}

func (p policyText) snapshot(t testing.TB) *policy.Snapshot {
	t.Helper()
	files := map[string]string{"policy.rego": p.text}
	if len(p.data) > 0 {
		data, err := json.Marshal(p.data)
		if err != nil {
			t.Fatal(err)
		}
		files["data.json"] = string(data)
	}
	s, err := policy.Compile(t.Context(), policy.Bundle{Name: p.name, Files: files})
	if err != nil {
		t.Skip("not a bundle: ", err) // what was made up by chance need not make sense
	}
	return s
}

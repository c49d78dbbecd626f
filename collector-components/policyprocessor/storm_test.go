// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestInAStormOfBundlesNoItemIsUncounted sends while bundles come and go, good ones, ones
// that do not compile, ones that are not for enforcing and none at all.
func TestInAStormOfBundlesNoItemIsUncounted(t *testing.T) {
	bundles := []map[string]string{
		rules(`drop contains "odd" if input.item.severity_number == 1`),
		rules(`drop contains`),
		rules("sample[\"half\"] := 0.5\nredact[\"u\"] := {\"action\": \"hash\", \"fields\": [\"attributes.user\", \"resource.*\"]}"),
		leftToOPA(`drop contains "x" if { input.item.body == "3"; count(opa) == 1 }`),
		rules("route := \"a\" if input.item.severity_number == 1\nroute := \"b\" if input.item.body == \"7\""),
		rules("dry_run contains input.item.body"),
		rules("dry_run contains \"*\"\ndrop contains \"all\""),
		nil,
	}
	p := processorOn(t, ModeEnforce, "logs", bundles[0])
	const senders, size, revisions = 4, 40, 64
	var in, out, refused atomic.Int64
	var over atomic.Bool
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for !over.Load() {
				ld := plog.NewLogs()
				list := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
				for i := range size {
					r := list.AppendEmpty()
					r.Body().SetStr(fmt.Sprint(i % 10))
					r.SetSeverityNumber(plog.SeverityNumber(i % 3))
					r.Attributes().PutStr("user", "alice")
				}
				ld, err := p.logs(t.Context(), ld)
				switch {
				case err == nil:
					in.Add(size)
					out.Add(int64(ld.LogRecordCount()))
				case errors.Is(err, processorhelper.ErrSkipProcessingData):
					in.Add(size)
				case status.Code(err) == codes.Unavailable:
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	updates := p.engine.Updates(t.Context())
	for revision := 2; revision <= revisions; revision++ {
		b := policy.Bundle{Name: "telemetry", Revision: fmt.Sprint(revision), Files: bundles[revision%len(bundles)]}
		if b.Files == nil {
			b = policy.Bundle{}
		}
		p.source.Set(b)
		<-updates
	}
	// The last storm's bundle may have come and gone between two batches: none is in force for
	// as long as it takes to be noticed.
	p.source.Set(policy.Bundle{})
	for refused.Load() == 0 && !t.Failed() {
		runtime.Gosched()
	}
	over.Store(true)
	sending.Wait()
	counted := int64(0)
	for _, action := range []string{"dropped", "sampled"} {
		for _, reason := range []string{reasonRule, reasonEvaluation} {
			counted += p.counted(itemsMetric, "action="+action, "reason="+reason)
		}
	}
	if in.Load() != out.Load()+counted {
		t.Errorf("%d items went in, %d came out and %d were counted: %d are missing", in.Load(), out.Load(), counted, in.Load()-out.Load()-counted)
	}
	if seen := p.counted(seenMetric); seen > in.Load() {
		t.Errorf("%d items were seen of %d", seen, in.Load())
	}
	if got := p.counted(refusedMetric); got != refused.Load() {
		t.Errorf("%d batches are counted as refused, %d were", got, refused.Load())
	}
	if in.Load() == 0 || refused.Load() == 0 || counted == 0 {
		t.Error("the storm tells nothing: nothing went in, was dropped or refused")
	}
	t.Logf("%d revisions; %d items in, %d out, %d dropped; %d batches refused", revisions, in.Load(), out.Load(), counted, refused.Load())
}

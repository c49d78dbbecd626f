// SPDX-License-Identifier: Apache-2.0

package policyprocessor

// observe counts what the observe rules match.
func (p *place) observe(it item) {
	if p.ctx.Err() != nil {
		return
	}
	p.show(it)
	if p.book.quick && p.screening.missesAll(p.book.asked) {
		return
	}
	p.ask(observe)
	for _, r := range p.found[observe] {
		p.report.act(observe, r.name, reasonRule)
	}
}

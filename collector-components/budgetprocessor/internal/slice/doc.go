// SPDX-License-Identifier: Apache-2.0

// Package slice divides budgets among the collectors of a fleet. Each publishes a
// [Share] under a lease: what of each budget it claims, and how much it could use.
// From the shares of all, [Member] computes what this one may use. It knows no etcd,
// no clock and no goroutine: a view of the shares goes in, a share to publish comes
// out, once a second or when the view changes, never for a batch.
//
//	share, changed := member.Round(view, demand)
//	if changed { … publish share, so that view comes to hold it … }
//	limit := member.Use(key) * budget
//
// # The division
//
// When all demand fits into the budget, each gets what it needs and an equal part of
// the rest; when it does not, parts in proportion to demand, so that all cut at the
// same ratio and a trace is kept by all of them or by none. Budgets that nobody is
// near to are divided equally and not spoken of: a share has entries for those of
// which some collector wants more than eight tenths of its equal part.
//
// # The sum stays below 110 %
//
// A member shrinks at once, and says so; it grows only into what the others have
// said that they do not claim, and only once its own claim is in a view in which the
// claims of all add up to 1 at most. Since a view holds whatever was published before
// its newest share, of two that claim the same the later sees both and gives way. So
// what is used never adds up to more than 1, but for a floor of a tenth among all of
// them, which lets a collector that joins work before the others have made room.
//
// # Who vanishes
//
// A collector that is killed uses nothing; what it claimed is free once its lease
// ended, and the others grow into it in the next round. One that cannot reach etcd
// uses what it has used, as do all of them when etcd is away; if its lease ends
// meanwhile, the others use its part too, and it gives way when it is back. One that
// starts uses the floor until it sees the others, or, when etcd does not answer, one of
// as many parts as it expects collectors ([Member.Alone]). One that sees the others but
// could never write uses such a part too, as far as they do not claim it
// ([Member.Unheard]); several of them do not know of each other.
package slice

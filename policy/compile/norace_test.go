// SPDX-License-Identifier: Apache-2.0

//go:build !race

package compile_test

const race = false

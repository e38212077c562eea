// The one byte form of everything ppn signs or hashes. It lives in base because the chained log needs it there.
export { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'

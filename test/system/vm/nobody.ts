/** nobody and nogroup of Debian: whom the guests of tests run as. */
export const NOBODY = { uid: 65534, gid: 65534 }

// File systems on which a lock or an inotify watch means nothing. Numbers: statfs(2), linux/magic.h.
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x786f4256, 'VirtualBox shared folder'],
  [0xbacbacbc, 'VMware shared folder'],
])

/** The name of the network file system with this `f_type`, or undefined when it is a local one. */
export function networkFileSystem(type: number): string | undefined {
  // Some kernels give the type as a signed 32-bit number.
  return NETWORK_FILE_SYSTEMS.get(type >>> 0)
}

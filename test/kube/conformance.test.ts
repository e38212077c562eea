import { storeConformance } from '../conformance/store/conformance.ts'
import { freshCluster } from './fresh-cluster.ts'
import { kubeSubject } from './subject.ts'

const cluster = freshCluster()

storeConformance('the cluster store', () => kubeSubject(cluster()), 'server')

import { describeBlobStore, WRITING } from './driver-contract.ts';
import { makeS3Store } from './s3-fixture.ts';

describeBlobStore('s3', makeS3Store, WRITING);

//! The sum of the gradients of an update's parts, which one or several processes compute.
//!
//! It is the same to the last bit for any number of processes: the gradients are added in the order of the parts, one value at a time, as
//! a process alone adds them. Process r of N computes parts r, r + N, ... The parameters, one after the other, are cut into N pieces, and
//! every process sums one piece of all parts: a round of N parts is one exchange of pieces, and after the last round all processes gather
//! the sums. Rows of
//! tables, and what batches contribute to other state, are small: they go to all processes, and each adds them up in order.

use crate::error::{Error, Result};
use crate::group::{Group, Message, Reading};
use crate::nn::ParamStore;
use crate::nn::gradients::{Grad, Gradients};
use crate::nn::taken::Taken;
use candle_core::{DType, Device, Tensor, Var};
use std::ops::Range;

/// One part of an update.
pub struct Part {
    /// Its gradients.
    pub gradients: Gradients,
    /// What it contributes to other state, such as the statistics of batch norm; not applied yet.
    pub taken: Vec<Taken>,
}

/// The sum of parts, while it is computed.
pub struct PartSum<'a> {
    group: &'a Group,
    params: Vec<Var>,
    /// The sum so far: of everything in a process alone, otherwise of the rows of tables.
    sum: Option<Gradients>,
    /// What is exchanged in pieces; none before the first round.
    pieces: Option<Pieces>,
    /// What all parts so far contribute to other state, in order.
    taken: Vec<(Taken, Vec<Tensor>)>,
    stopped: bool,
}

/// The pieces of whole gradients.
struct Pieces {
    /// Where each parameter begins among those that had whole gradients in the first round; one that had none takes no room there.
    begins: Vec<usize>,
    /// Values of all these parameters.
    total: usize,
    /// The sum so far of this process's piece of each parameter; none where no part had a gradient, or the piece is empty.
    sums: Vec<Option<Tensor>>,
    /// Which parameters have had a whole gradient in some part.
    whole: Vec<bool>,
}

impl Pieces {
    fn new(sizes: &[usize], whole: &[bool]) -> Pieces {
        let mut total = 0;
        let begins = sizes.iter().zip(whole).map(|(size, whole)| {
            let begin = total;
            total += if *whole { *size } else { 0 };
            begin
        });
        let begins = begins.collect();
        Pieces { begins, total, sums: vec![None; sizes.len()], whole: vec![false; sizes.len()] }
    }

    /// The values of parameter `i`, which has `n`, that process `rank` of `size` sums. In the order of the processes, and of the parameters
    /// within each, the pieces are the parameters in their order.
    fn piece(&self, i: usize, n: usize, rank: usize, size: usize) -> Range<usize> {
        let (begin, end) = (self.begins[i], self.begins.get(i + 1).copied().unwrap_or(self.total));
        let (from, to) = (self.total * rank / size, self.total * (rank + 1) / size);
        if begin < end {
            return from.clamp(begin, end) - begin..to.clamp(begin, end) - begin;
        }
        // It takes no room, so the process whose piece goes on there has all of it.
        let last = begin == self.total && rank + 1 == size;
        if (from..to).contains(&begin) || last { 0..n } else { 0..0 }
    }
}

/// What the gradient of a parameter is in one part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Absent = 0,
    Whole = 1,
    Rows = 2,
}

/// A message of one process about its part.
struct Heard {
    stop: bool,
    forms: Vec<Form>,
    /// The parameter, its rows, and their values.
    rows: Vec<(usize, Vec<u32>, Vec<f32>)>,
    /// The values of each contribution.
    taken: Vec<Vec<Vec<f32>>>,
}

fn host(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_device(&Device::Cpu)?.to_vec1()?)
}

impl<'a> PartSum<'a> {
    /// No parts yet.
    pub fn new(group: &'a Group, store: &ParamStore) -> Self {
        let params: Vec<Var> = store.trainable().into_iter().map(|(_, var)| var).collect();
        PartSum { group, params, sum: None, pieces: None, taken: Vec::new(), stopped: false }
    }

    /// Adds the next part of this process, and those that the other processes add at the same time. `stop` asks all of them to stop.
    ///
    /// # Errors
    /// Another process has failed; tensors of other shapes.
    pub fn add(&mut self, part: Part, stop: bool) -> Result<()> {
        if self.group.size() == 1 {
            self.stopped |= stop;
            self.taken.extend(part.taken.into_iter().map(|taken| {
                let values = taken.values().to_vec();
                (taken, values)
            }));
            return self.add_up(part.gradients);
        }
        let message = tell(&part, stop)?;
        let heard = self.group.gather(message)?;
        let heard: Vec<Heard> =
            heard.iter().map(|bytes| Heard::read(bytes, self.params.len())).collect::<Result<_>>()?;
        self.stopped |= heard.iter().any(|one| one.stop);
        self.exchange(&part.gradients, &heard)?;
        for one in &heard {
            self.add_rows(one)?;
            if one.taken.len() != part.taken.len() {
                return Err(differ());
            }
            for (taken, values) in part.taken.iter().zip(&one.taken) {
                let tensors = taken
                    .values()
                    .iter()
                    .zip(values)
                    .map(|(like, values)| Ok(Tensor::from_slice(values, like.shape(), like.device())?));
                self.taken.push((taken.clone(), tensors.collect::<Result<_>>()?));
            }
        }
        Ok(())
    }

    /// Whether a process has asked all of them to stop.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The sum of all parts, in all processes, and the contributions of all parts to other state are applied.
    ///
    /// # Errors
    /// There is no part; another process has failed.
    pub fn finish(mut self) -> Result<Gradients> {
        if let Some(pieces) = self.pieces.take() {
            let mut sum: Vec<Option<Grad>> = match self.sum.take() {
                Some(sum) => sum.0,
                None => (0..self.params.len()).map(|_| None).collect(),
            };
            let whole: Vec<usize> = (0..self.params.len()).filter(|&i| pieces.whole[i]).collect();
            let counts = self.counts(&pieces, &whole);
            let mine = self.joined(pieces.sums.into_iter().flatten().collect())?;
            let all = self.group.gather_values(&mine, &counts)?;
            let mut begin = 0;
            for i in whole {
                let (shape, n) = (self.params[i].shape(), self.params[i].elem_count());
                sum[i] = Some(Grad::Whole(all.narrow(0, begin, n)?.reshape(shape)?));
                begin += n;
            }
            self.sum = Some(Gradients(sum));
        }
        self.taken.iter().try_for_each(|(taken, values)| taken.apply(values))?;
        self.sum.ok_or_else(|| Error::usage("train.accumulate: must be at least 1", "set it to 1"))
    }

    fn add_up(&mut self, gradients: Gradients) -> Result<()> {
        match &mut self.sum {
            Some(sum) => sum.add(gradients)?,
            None => self.sum = Some(gradients),
        }
        Ok(())
    }

    /// The number of values of some parameters that each process sums.
    fn counts(&self, pieces: &Pieces, of: &[usize]) -> Vec<usize> {
        let size = self.group.size();
        let of = |rank| of.iter().map(|&i| pieces.piece(i, self.params[i].elem_count(), rank, size).len()).sum();
        (0..size).map(of).collect()
    }

    /// Tensors of one dimension, one after the other.
    fn joined(&self, tensors: Vec<Tensor>) -> Result<Tensor> {
        match (tensors.is_empty(), self.params.first()) {
            (false, _) => Ok(Tensor::cat(&tensors, 0)?),
            (true, Some(param)) => Ok(Tensor::zeros(0, DType::F32, param.device())?),
            (true, None) => Ok(Tensor::zeros(0, DType::F32, &Device::Cpu)?),
        }
    }

    /// Adds this process's pieces of all whole gradients of a round.
    fn exchange(&mut self, mine: &Gradients, heard: &[Heard]) -> Result<()> {
        let (rank, size) = (self.group.rank(), self.group.size());
        let has = |form: Form| -> Vec<bool> {
            (0..self.params.len()).map(|i| heard.iter().any(|one| one.forms[i] == form)).collect()
        };
        let (whole, rows) = (has(Form::Whole), has(Form::Rows));
        if whole.iter().zip(&rows).any(|(whole, rows)| *whole && *rows) {
            return Err(differ());
        }
        let sizes: Vec<usize> = self.params.iter().map(|param| param.elem_count()).collect();
        let mut pieces = self.pieces.take().unwrap_or_else(|| Pieces::new(&sizes, &whole));
        let whole: Vec<usize> = (0..sizes.len()).filter(|&i| whole[i]).collect();
        let counts = self.counts(&pieces, &whole);
        let flat = |&i: &usize| -> Result<Tensor> {
            Ok(match &mine.0[i] {
                Some(Grad::Whole(values)) => values.flatten_all()?,
                _ => Tensor::zeros(sizes[i], DType::F32, self.params[i].device())?,
            })
        };
        let send = self.joined(whole.iter().map(flat).collect::<Result<_>>()?)?;
        let received = self.group.exchange(&send, &counts)?;
        let mut begin = 0;
        for one in heard {
            for &i in &whole {
                pieces.whole[i] = true;
                let n = pieces.piece(i, sizes[i], rank, size).len();
                if n > 0 && one.forms[i] == Form::Whole {
                    let piece = received.narrow(0, begin, n)?;
                    // A sum begins as its first part: 0 + -0 would be 0.
                    pieces.sums[i] = Some(match pieces.sums[i].take() {
                        Some(sum) => (sum + piece)?,
                        None => piece,
                    });
                }
                begin += n;
            }
        }
        self.pieces = Some(pieces);
        Ok(())
    }

    fn add_rows(&mut self, one: &Heard) -> Result<()> {
        let mut rows: Vec<Option<Grad>> = (0..self.params.len()).map(|_| None).collect();
        for (i, ids, values) in &one.rows {
            let param = self.params.get(*i).ok_or_else(differ)?;
            let values = Tensor::from_slice(values, (ids.len(), param.dim(1)?), param.device())?;
            rows[*i] = Some(Grad::Rows(ids.as_slice().into(), values));
        }
        self.add_up(Gradients(rows))
    }
}

fn differ() -> Error {
    Error::failed("the processes have gradients of different parameters", "use the same build of cpc on all machines")
}

/// What a process tells the others about its part, besides the pieces of its whole gradients.
fn tell(part: &Part, stop: bool) -> Result<Vec<u8>> {
    let form = |grad: &Option<Grad>| match grad {
        None => Form::Absent,
        Some(Grad::Whole(_)) => Form::Whole,
        Some(Grad::Rows(..)) => Form::Rows,
    };
    let forms: Vec<u8> = part.gradients.0.iter().map(|grad| form(grad) as u8).collect();
    let mut message = Message::new();
    message.number(u64::from(stop)).bytes(&forms);
    for grad in part.gradients.0.iter().flatten() {
        if let Grad::Rows(ids, values) = grad {
            message.integers(ids).values(&host(values)?);
        }
    }
    message.number(part.taken.len() as u64);
    for taken in &part.taken {
        message.number(taken.values().len() as u64);
        for values in taken.values() {
            message.values(&host(values)?);
        }
    }
    Ok(message.take())
}

impl Heard {
    fn read(bytes: &[u8], params: usize) -> Result<Heard> {
        let mut reading = Reading::new(bytes);
        let stop = reading.number()? != 0;
        let forms: Vec<Form> = reading
            .bytes()?
            .iter()
            .map(|form| match form {
                0 => Form::Absent,
                1 => Form::Whole,
                _ => Form::Rows,
            })
            .collect();
        if forms.len() != params {
            return Err(differ());
        }
        let mut rows = Vec::new();
        for (i, _) in forms.iter().enumerate().filter(|(_, form)| **form == Form::Rows) {
            rows.push((i, reading.integers()?, reading.values()?));
        }
        let taken = reading.number()?;
        let mut contribution = || (0..reading.number()?).map(|_| reading.values()).collect::<Result<_>>();
        let taken = (0..taken).map(|_| contribution()).collect::<Result<_>>()?;
        Ok(Heard { stop, forms, rows, taken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::threads::together;
    use crate::nn::taken::taking;
    use crate::nn::{BatchNorm, Phase};
    use crate::ops::check::random;
    use candle_nn::Init;
    use std::collections::BTreeMap;

    /// What each process of `size` has after the sum of eight parts: bits of the sum and of the running statistics.
    fn summed(size: usize) -> Vec<BTreeMap<String, Vec<u32>>> {
        together(size, |group| {
            let store = ParamStore::new(1, &Device::Cpu);
            for (name, n) in [("a", 7), ("b", 1), ("c", 3)] {
                store.builder().get_with_hints(n, name, Init::Const(0.0)).unwrap();
            }
            store.builder().get_with_hints((9, 2), "table", Init::Const(0.0)).unwrap();
            let norm = BatchNorm::new(3, &store.builder().pp("norm")).unwrap();
            let mut sum = PartSum::new(&group, &store);
            for part in (group.rank()..8).step_by(size) {
                let seed = 100 * part as u64;
                let of = |shape: &[usize], k: u64| random(shape, seed + k).to_dtype(DType::F32).unwrap();
                let whole = |t: Tensor| Some(Grad::Whole(t));
                let ids: Vec<u32> = (0..9).filter(|i| (i + part as u32).is_multiple_of(3)).collect();
                let rows = Grad::Rows(ids.as_slice().into(), of(&[ids.len(), 2], 4));
                let gradients = Gradients(vec![
                    whole(of(&[7], 1)),
                    // One that no part has, and one that only some have, which is minus zero.
                    None,
                    (part == 5).then(|| Grad::Whole(Tensor::new(&[-0.0f32, 1.0, -0.0], &Device::Cpu).unwrap())),
                    whole(of(&[3], 5)),
                    whole(of(&[3], 6)),
                    Some(rows),
                ]);
                let (out, taken) = taking(|| norm.forward(&of(&[5, 3], 7), Phase::Train));
                out.unwrap();
                sum.add(Part { gradients, taken }, part == 6).unwrap();
            }
            assert!(sum.stopped());
            let mut bits = BTreeMap::new();
            let of = |t: &Tensor| host(t).unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            for (i, grad) in sum.finish().unwrap().0.iter().enumerate() {
                match grad {
                    None => drop(bits.insert(format!("{i} none"), Vec::new())),
                    Some(Grad::Whole(values)) => drop(bits.insert(format!("{i}"), of(values))),
                    Some(Grad::Rows(ids, values)) => {
                        bits.insert(format!("{i}"), [ids.to_vec(), of(values)].concat());
                    }
                }
            }
            for name in ["norm.running_mean", "norm.running_var"] {
                bits.insert(name.into(), of(&store.tensors()[name]));
            }
            bits
        })
    }

    #[test]
    fn any_number_of_processes_gives_the_same_bits() {
        let alone = summed(1);
        assert_eq!(alone[0]["2"], [-0.0f32, 1.0, -0.0].map(f32::to_bits));
        for size in [2, 4, 8] {
            for bits in summed(size) {
                assert_eq!(bits, alone[0], "{size} processes");
            }
        }
    }

    #[test]
    fn the_failure_of_one_process_is_the_error_of_all() {
        let errors = together(3, |group| {
            let store = ParamStore::new(1, &Device::Cpu);
            store.builder().get_with_hints(2, "a", Init::Const(0.0)).unwrap();
            let mut sum = PartSum::new(&group, &store);
            let part = || Part { gradients: Gradients(vec![None]), taken: Vec::new() };
            let work = if group.rank() == 1 { Err(Error::usage("no disk", "buy one")) } else { sum.add(part(), false) };
            let error = group.settle(work).unwrap_err();
            assert!(group.is_over() && group.settle(Err::<(), _>(Error::failed("", ""))).is_err());
            (error.to_string(), error.remedy(), error.exit_code())
        });
        let of = |what: &str| (what.to_string(), "buy one".to_string(), 2);
        assert_eq!(errors, [of("process 1 (here): no disk"), of("no disk"), of("process 1 (here): no disk")]);
    }
}
